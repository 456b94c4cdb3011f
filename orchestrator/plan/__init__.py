"""Manifest and ledger to plan: pure decisions, nothing sent, nothing written."""
