"""Protocols: what is asked, what is right, and what a ranking is worth."""
