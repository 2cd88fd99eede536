"""Rendered landmarks: procedural buildings in streets, under changing light and weather, with all their truth known."""
