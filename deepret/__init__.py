"""deepret trains image-search networks end to end."""

__version__ = "0.1.0"
