"""Mining: which pairs of a batch, or of a pool of images, the loss looks at."""
