"""Inputs: photographs to tensors, and tensors to what a backbone takes."""
