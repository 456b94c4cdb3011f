"""Ledger rows as pages and tables for people."""
