"""Jobs about bars and contracts."""
