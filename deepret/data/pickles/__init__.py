"""Pickles of others, read by a reader that calls nothing."""
