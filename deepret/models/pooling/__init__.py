"""Pooling: boxes of maps to vectors."""
