"""Detectors: which of the proposals hold an object, and where exactly its box is."""
