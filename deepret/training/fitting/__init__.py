"""Fitting: parts that start from statistics of the training images, before any gradient."""
