"""The feed: from the venue's hubs, quotes go to Redis, fills and order updates become jobs."""
