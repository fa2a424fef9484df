"""Accounts and their days, events and halts, as rows."""
