"""Notifications in Postgres: made, delivered, and what is wrong now."""
