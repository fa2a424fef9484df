"""Jobs that keep the house tidy."""
