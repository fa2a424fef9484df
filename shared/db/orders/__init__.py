"""Orders, their changes, fills, positions and flatten requests, as rows."""
