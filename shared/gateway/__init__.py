"""The client of the venue's API: the ProjectX Gateway, or the simulator in its place."""
