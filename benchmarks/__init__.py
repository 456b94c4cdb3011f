"""What the engine costs, measured in pairs: `make bench`."""
