"""The accounts that trade a strategy and its decisions, as rows."""
