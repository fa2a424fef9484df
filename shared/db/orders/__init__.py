"""Orders, changes of orders, fills, positions and flatten requests, as rows."""
