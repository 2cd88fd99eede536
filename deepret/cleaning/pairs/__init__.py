"""Pairs of photographs: which are compared, what came out, and how much makes a link."""
