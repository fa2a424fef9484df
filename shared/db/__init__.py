"""Postgres: the memory and the truth."""
