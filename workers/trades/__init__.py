"""Tasks about round trips."""
