"""Webhook alerts: the payload, and what it asks for; pure."""
