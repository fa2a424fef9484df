"""Accounts, their trading days, events and halts, as rows."""
