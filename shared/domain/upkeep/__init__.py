"""Retries: the pause before each; pure."""
