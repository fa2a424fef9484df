"""Contracts, one-minute bars and the market clock, as rows."""
