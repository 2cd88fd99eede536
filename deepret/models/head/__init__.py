"""Heads: what is done to codes last."""
