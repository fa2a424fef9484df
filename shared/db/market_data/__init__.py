"""Contracts, one-minute bars and the clock of the market, as rows."""
