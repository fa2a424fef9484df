"""Listens to the venue's hubs: quotes to Redis, fills and order updates to jobs."""
