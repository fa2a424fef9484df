"""Speaks to the venue: the ProjectX Gateway, or the simulator in its place."""
