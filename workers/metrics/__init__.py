"""Jobs that sum up what happened."""
