"""Knows what is due."""
