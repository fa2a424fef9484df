"""The state of each account that the risk rules need, read from rows."""
