"""Whether two photographs show one thing: features that fit together, and a map of the plane that explains them."""
