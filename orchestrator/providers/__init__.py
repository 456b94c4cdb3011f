"""Translators between jobs and the providers' APIs, and the one place that sends."""
