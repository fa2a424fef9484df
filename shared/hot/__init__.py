"""Data in Redis: read often, and not critical if lost."""
