"""The venue behind the API: accounts, orders, fills, positions and rules."""
