"""Pretends the venue: the ProjectX Gateway over real sockets, with a market of its own."""
