"""The field's tables of descriptors: what stands in them, and how they are written and drawn."""
