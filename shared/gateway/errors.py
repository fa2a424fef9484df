"""Errors of requests to the venue that only the gateway can tell apart."""

from shared.errors import AmbiguousOutcomeError, RateLimitedError, RetryableError


class NotSentError(RetryableError):
    """The request certainly did not reach the venue; sending it again is safe."""


class BudgetSpentError(NotSentError, RateLimitedError):
    """A mutation was not sent because our request budget is spent; try again after `retry_after`."""


class TagInUseError(AmbiguousOutcomeError):
    """The venue already has an order with this tag, perhaps a rejected one: search for it."""
