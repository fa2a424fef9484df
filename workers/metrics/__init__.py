"""Jobs that sum up metrics."""
