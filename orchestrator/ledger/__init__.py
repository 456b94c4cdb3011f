"""The ledger: what was asked for, what was paid, what came of it."""
