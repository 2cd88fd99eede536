"""The page that ``deepret clean`` leaves: figures, scores, classes, and what was kept and dropped in pictures."""
