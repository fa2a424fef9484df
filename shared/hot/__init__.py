"""Redis: what is read often and may be lost."""
