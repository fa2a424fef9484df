"""The decision of a strategy, and the indicators behind it; pure."""
