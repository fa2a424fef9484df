"""The scheduler: the beat enqueues jobs that are due, the relay publishes wake-ups and reclaims leases."""
