"""The home folder of a stack: its lock, state, ports and credentials."""
