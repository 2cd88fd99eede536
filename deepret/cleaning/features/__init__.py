"""Local features: where a photograph has something to match, and what it looks like there."""
