"""Backoff: the pause before a retry."""

from datetime import timedelta


def compute_delay(attempt: int, *, base: timedelta, cap: timedelta, fraction: float) -> timedelta:
    """Return the pause after failed `attempt` (1 is the first): exponential with full jitter.

    `fraction` is a random number in [0, 1): the pause is that part of min(cap, base * 2**(attempt - 1)).
    Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    doublings = min(attempt - 1, 32)
    return min(cap, base * (1 << doublings)) * fraction
