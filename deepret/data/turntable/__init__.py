"""Rendered things on a turntable: one object on a plain ground, seen from angle after angle."""
