"""Contracts, sessions and bars; pure."""
