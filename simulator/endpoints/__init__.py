"""The endpoints of the venue and of the control port, one subject a file."""
