"""What the venue remembers and decides: accounts, orders, fills, positions."""
