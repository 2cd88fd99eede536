"""Aggregation: region vectors to codes."""
