"""Losses: codes and who belongs together → one number."""
