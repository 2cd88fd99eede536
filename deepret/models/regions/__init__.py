"""Regions: where to look on the maps."""
