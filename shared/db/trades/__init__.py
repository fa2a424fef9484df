"""Round trips, as rows."""
