"""What only the gateway can say about a request that failed."""

from shared.errors import AmbiguousOutcomeError, RetryableError


class NotSentError(RetryableError):
    """The request certainly did not reach the venue; sending it again is safe."""


class TagInUseError(AmbiguousOutcomeError):
    """The venue has an order with this tag already, maybe a rejected one: search for it."""
