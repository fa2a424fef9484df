"""Jobs that keep the rule book."""
