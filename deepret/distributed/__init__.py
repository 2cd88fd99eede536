"""Several processes: what each does, what they share, and who speaks."""
