"""Jobs that evaluate strategies."""
