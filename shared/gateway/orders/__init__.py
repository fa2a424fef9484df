"""Requests that change orders and positions at the venue; each is sent once."""
