"""Jobs that tell the trader what happens."""
