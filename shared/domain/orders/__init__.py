"""Orders, positions, matching and protection; pure."""
