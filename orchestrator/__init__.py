"""Runs manifests of paid AI video generations: never pays twice, never loses a paid video."""

__version__ = "0.1.0"
