"""Every error we raise on purpose, sorted by how to react to it.

TickworkError
|-- SettingsError                  a program must not start: fix the setting
|   `-- AlreadyRunningError        cli.local.home.lock
|-- RetryableError                 try again later; the attempt is counted
|   |-- QueueFullError
|   |-- VenueDownError
|   |-- LedgerUnavailableError     shared.ledger.connection
|   |-- DatabaseDownError          web.receiver.patience
|   |-- NotSentError               shared.gateway.errors
|   |   `-- BudgetSpentError       also a RateLimitedError
|   `-- PostponedError             not now, through no fault of the job: the attempt is not counted
|       |-- RateLimitedError
|       `-- MarketClosedError
|-- RefusedError                   the request is wrong: trying again cannot help
|   |-- OrderRejectedError         by the venue
|   |-- RiskLimitError             by our own rules
|   `-- InvalidAlertError
|       `-- RefusedAlertError      shared.domain.alerts.payload
|-- AmbiguousOutcomeError          sent, and nobody knows whether it happened: only reconciliation settles it
|   `-- TagInUseError              shared.gateway.errors
|-- HaltError                      new entries stop until a person resumes
|   |-- PositionMismatchError
|   `-- CredentialsRefusedError
|-- LeaseLostError                 another worker may run the job now: write nothing
|-- JobOutcomeUnknownError         the end of a job may not be recorded: this process must end
|-- JobFailedError                 workers.app: what Flower shows of a job that ended failed or dead
|-- RedisUnavailableError          shared.hot.connection: do without Redis
|-- TokenRefusedError              shared.gateway.rest.transport: renew the token
|-- HubError                       shared.gateway.hubs.hub: connect again
|   `-- LoggedOutError
|-- MalformedRecordError           shared.gateway.hubs.protocol
|-- BodyLateError                  web.receiver.body
`-- of the simulator               ControlRequestError, BadFrameError, HandshakeRefusedError
"""

from datetime import datetime, timedelta


class TickworkError(Exception):
    """Something went wrong that we foresaw; the message names the value and the hint."""


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
    """An alert cannot be understood; `field` names the part and the message the hint."""

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


class LeaseLostError(TickworkError):
    """The lease of a job was lost while it ran: another worker may run it now, so this one may write nothing."""


class JobOutcomeUnknownError(TickworkError):
    """Whether the end of a job was recorded is not known: this process must end, and its lease is released."""
