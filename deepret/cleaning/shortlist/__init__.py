"""Which pairs of a class are compared."""
