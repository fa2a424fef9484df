"""What only the gateway can say about a request that failed."""

from shared.errors import AmbiguousOutcomeError, RateLimitedError, RetryableError


class NotSentError(RetryableError):
    """The request certainly did not reach the venue; sending it again is safe."""


class BudgetSpentError(NotSentError, RateLimitedError):
    """A mutation was not sent because our request budget is spent; `retry_after` says when it may be."""


class TagInUseError(AmbiguousOutcomeError):
    """The venue has an order with this tag already, maybe a rejected one: search for it."""
