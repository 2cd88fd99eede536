"""Photographs: what there are, how they are read, and how they come in batches."""
