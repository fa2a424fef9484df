"""Every error that we raise on purpose, grouped by how the caller reacts.

TickworkError
|-- SettingsError                  the program must not start: fix the setting
|   `-- AlreadyRunningError        cli.local.home.lock
|-- RetryableError                 try again, for as long as the job's purpose lasts; no attempt counts
|   |-- QueueFullError
|   |-- VenueDownError
|   |-- LedgerUnavailableError     shared.ledger.connection
|   |-- DatabaseDownError          web.receiver.deadline
|   |-- NotSentError               shared.gateway.errors
|   |   `-- BudgetSpentError       also a RateLimitedError
|   `-- PostponedError             not now: try again after `retry_after`, however often
|       |-- RateLimitedError
|       `-- MarketClosedError
|-- RefusedError                   the request is wrong: a retry cannot help
|   |-- OrderRejectedError         by the venue
|   |-- RiskLimitError             by our own rules
|   |-- RefusedRequestError        web.receiver.problem: an HTTP request, answered with a 4xx
|   |-- UnstorableAlertError       web.receiver.alert_store: Postgres refuses the row of an alert
|   |-- StrategyError              shared.domain.strategies.strategy_error: a parameter, a decision or too few bars
|   |   |-- TooFewBarsError
|   |   `-- MissingBarsError       workers.strategies.read_bars
|   |-- OutsideCalendarError       the holiday table does not reach the date
|   |-- _AccountsLockedError       cli.client.locks: done, but for accounts that another session locks
|   |-- ProbeFailedError           a test alert was not accepted: the message says where it was lost
|   |-- NotificationError          a service did not take a message
|   |-- HeartbeatWithheldError     something that watches has stopped, or the service did not take it
|   `-- InvalidAlertError
|       `-- RefusedAlertError      shared.domain.alerts.payload
|-- AmbiguousOutcomeError          sent, outcome unknown: only a search at the venue settles it
|   `-- TagInUseError              shared.gateway.errors
|-- HaltError                      new entries stop until a person resumes them
|   |-- PositionMismatchError
|   `-- CredentialsRefusedError
|-- LeaseLostError                 another worker may run the job now: this one must write nothing
|-- JobOutcomeUnknownError         the end of a job may not be recorded: this process must end
|-- JobCancelledError              workers.context: a person cancelled the job while it ran
|-- RedisUnavailableError          shared.hot.connection: continue without Redis
|-- TokenRefusedError              shared.gateway.rest.transport: renew the token
|-- BotApiError                    shared.bot_api: Telegram took no request, or refused it
|   `-- AnswerTooLongError         asked for in smaller parts
|-- HubError                       shared.gateway.hubs.hub: connect again
|   `-- LoggedOutError
|-- MalformedRecordError           shared.gateway.hubs.protocol
|-- BodyLateError                  web.receiver.body
|-- CollectorError                 shared.trace_collector: it gets the spans later
|-- ScrapeFailedError              web.exporter.scrape: Prometheus is answered with a 503
|-- CheckWarningError              cli.client.live_checks: a check of doctor that warns
`-- simulator only                 CannotAskError, ControlRequestError, BadFrameError, HandshakeRefusedError
"""

from datetime import datetime, timedelta


class TickworkError(Exception):
    """The root of our errors; the message names the value and a hint."""


class SettingsError(TickworkError):
    """A setting is missing or invalid; the program must not start."""


class RetryableError(TickworkError):
    """What the job needs does not answer: it is tried again for as long as its purpose lasts, and no attempt counts."""


class QueueFullError(RetryableError):
    """A bounded queue is at its limit; nothing was enqueued."""


class VenueDownError(RetryableError):
    """The venue did not answer, or answered that it cannot serve the request."""


class PostponedError(RetryableError):
    """The job cannot run now and is not at fault: it is rescheduled, however often, and no attempt counts.

    `code` names the reason for scripts.
    """

    def __init__(self, message: str, retry_after: timedelta, *, code: str = "postponed") -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.code = code


class RateLimitedError(PostponedError):
    """Our request budget is spent, or the venue answered 429 to a read."""


class MarketClosedError(PostponedError):
    """The session is closed; `opens_market_at` is its next opening, or None if the calendar has none."""

    def __init__(self, message: str, retry_after: timedelta, opens_market_at: datetime | None = None) -> None:
        super().__init__(message, retry_after, code="market_closed")
        self.opens_market_at = opens_market_at


class RefusedError(TickworkError):
    """The request itself is wrong; a retry cannot help."""


class OrderRejectedError(RefusedError):
    """The venue rejected the order, definitively."""


class RiskLimitError(RefusedError):
    """Our own risk rules denied the order; it was never sent. `code` names the reason for scripts."""

    def __init__(self, message: str, *, code: str = "denied") -> None:
        super().__init__(message)
        self.code = code


class OutsideCalendarError(RefusedError):
    """A date lies outside the holiday table, so its market hours are not known."""

    code = "outside_calendar"


class ProbeFailedError(RefusedError):
    """A test alert did not arrive in this stack."""


class HeartbeatWithheldError(RefusedError):
    """No heartbeat was sent, as something that watches has stopped, or the service did not take it."""


class NotificationError(RefusedError):
    """A service did not take a message to the trader."""


class InvalidAlertError(RefusedError):
    """An alert is invalid; `field` names the faulty part, and the message gives a hint."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class AmbiguousOutcomeError(TickworkError):
    """A mutation was sent and its outcome is unknown; only a search at the venue settles it."""


class HaltError(TickworkError):
    """New entries must stop until a person resumes them: on the account `account_id`, or on all if it is None."""

    def __init__(self, message: str, account_id: int | None = None) -> None:
        super().__init__(message)
        self.account_id = account_id


class PositionMismatchError(HaltError):
    """The venue's position differs from the sum of our fills."""


class CredentialsRefusedError(HaltError):
    """The venue rejected our user name or key."""


class LeaseLostError(TickworkError):
    """The job's lease was lost while it ran: another worker may run it now, so this one must write nothing."""


class JobOutcomeUnknownError(TickworkError):
    """It is unknown whether the end of a job was recorded: this process must end, which releases the lease."""
