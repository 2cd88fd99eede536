"""Training on noisy classes and on cleaned ones: which runs there are, how they run, and what came of them."""
