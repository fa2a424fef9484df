"""Every error we raise on purpose, sorted by how to react to it."""

from datetime import datetime, timedelta


class TickworkError(Exception):
    """Something went wrong that we foresaw; the message names the value and the cure."""


class SettingsError(TickworkError):
    """A setting is missing or unusable; the program must not start."""


class RetryableError(TickworkError):
    """Trying again later may help; an attempt is counted."""


class QueueFullError(RetryableError):
    """A queue that has a limit holds as many jobs as it may; nothing was enqueued."""


class VenueDownError(RetryableError):
    """The venue did not answer, or answered that it cannot."""


class PostponedError(RetryableError):
    """Not now, through no fault of the job: put back without counting an attempt."""

    def __init__(self, message: str, retry_after: timedelta) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimitedError(PostponedError):
    """The request budget is spent; nothing was sent."""


class MarketClosedError(PostponedError):
    """The session is closed; `opens_market_at` says when it opens, if the calendar knows."""

    def __init__(self, message: str, retry_after: timedelta, opens_market_at: datetime | None = None) -> None:
        super().__init__(message, retry_after)
        self.opens_market_at = opens_market_at


class RefusedError(TickworkError):
    """The request itself is wrong; trying again cannot help."""


class OrderRejectedError(RefusedError):
    """The venue refused the order, definitely."""


class RiskLimitError(RefusedError):
    """Our own risk rules refused the order; it was never sent."""


class InvalidAlertError(RefusedError):
    """An alert cannot be understood; `field` names the part and the message the cure."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class AmbiguousOutcomeError(TickworkError):
    """A mutation was sent and nobody knows whether it happened; only reconciliation may settle it."""


class HaltError(TickworkError):
    """New entries must stop until a person has looked: on the account `account_id`, or on all."""

    def __init__(self, message: str, account_id: int | None = None) -> None:
        super().__init__(message)
        self.account_id = account_id


class PositionMismatchError(HaltError):
    """The venue's position is not the one our fills add up to."""


class CredentialsRefusedError(HaltError):
    """The venue refused our user name or key."""
