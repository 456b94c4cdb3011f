"""Where videos go: fetched without a credential, checked, and whole under their final name."""
