"""Which accounts trade a strategy, and what it decided, as rows."""
