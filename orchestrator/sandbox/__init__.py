"""The emulated providers: real HTTP on loopback, real videos, no credits spent.

The sandbox is an independent witness. It shares no code with the rooms that talk to providers, so
that one misreading of an API cannot hide on both sides of the wire.
"""
