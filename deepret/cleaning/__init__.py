"""Cleaning: from a noisy folder to what a network can learn from."""
