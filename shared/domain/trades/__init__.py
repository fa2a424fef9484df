"""Round trips and their statistics; pure."""
