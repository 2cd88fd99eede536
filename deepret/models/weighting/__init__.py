"""Weighting: how much each region counts."""
