"""Training: stages, batches, mining, checkpoints and logs."""
