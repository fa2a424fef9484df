"""A strategy over stored bars: what it would have decided, and what its orders would have filled at; pure."""
