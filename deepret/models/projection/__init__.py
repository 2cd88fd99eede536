"""Projection: region vectors to a smaller space."""
