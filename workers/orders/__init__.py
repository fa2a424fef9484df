"""Jobs about orders, fills and positions."""
