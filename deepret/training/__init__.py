"""Training: stages, batches, mining, optimisers and schedules."""
