"""From photographs to codes, and from codes to the nearest ones."""
