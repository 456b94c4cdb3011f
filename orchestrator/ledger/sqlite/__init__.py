"""The ledger in one SQLite file: opened, read, written."""
