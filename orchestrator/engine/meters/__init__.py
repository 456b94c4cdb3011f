"""Meters of one account: how much at once, how often, when to pause, and what it may cost."""
