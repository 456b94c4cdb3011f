"""A ledger that is damaged or gone: kept, read as far as it goes, and made again."""
