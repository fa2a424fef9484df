"""Webhook alerts: the payload and the request in it; pure."""
