"""Published sets, fetched from where they are published."""
