"""The interfaces the gateway depends on: token store, request limiter, call log, live switch."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from shared.domain.accounts.login import Token
from shared.fleets import Queue

Budget = Literal["bars", "other"]  # the venue counts History/retrieveBars separately


@dataclass(frozen=True, slots=True)
class Call:
    """One request sent to the venue by a job of `queue`.

    `status` is None if no answer came; `error` is None if the request succeeded.
    """

    endpoint: str
    method: str
    started_at: datetime
    duration: timedelta
    status: int | None
    error: str | None
    queue: Queue


class TokenStore(Protocol):
    """Stores the token that all processes of one login share; if it cannot share one, each process keeps its own."""

    def get(self) -> Token | None:
        """Return the token, or None if there is none or it has ended."""

    def put(self, token: Token) -> None:
        """Store a token that the venue has just issued."""

    def drop(self, text: str) -> None:
        """Remove the token with this text; a newer token that has replaced it stays."""

    def login(self) -> AbstractContextManager[None]:
        """Hold the login lock; raise RetryableError if another process holds it for too long or held it just now."""

    def claim_renewal(self) -> bool:
        """Claim the renewal of the token; True for one caller a minute, so that another can try if it fails."""


class Limiter(Protocol):
    """Counts requests, to stay below the venue's limits."""

    def count_request(self, budget: Budget, queue: Queue, *, is_exit: bool = False) -> AbstractContextManager[None]:
        """Count the request made inside the block, from its start to its end.

        `is_exit` marks one that an exit needs; critical jobs keep a part of the budget for these.
        Raise RateLimitedError, with the time until the next try, if jobs of `queue` may make none now; never wait.
        """

    def record_refusal(self, budget: Budget, retry_after: timedelta | None) -> timedelta:
        """Record a 429: close the budget for all processes, for `retry_after` or a pause of ours; return how long.

        A closed budget keeps a small reserve for critical jobs.
        """


class CallLog(Protocol):
    """Records the requests to the venue."""

    def record(self, call: Call) -> None:
        """Record one call; must be quick and must not raise."""


class LiveSwitch(Protocol):
    """Decides which accounts may send orders to the venue."""

    def may_send(self, account_id: int, *, is_entry: bool) -> bool:
        """Whether an order of the account may be sent; one that is no entry may be, even after the switch went off."""


class AlwaysLive:
    """The switch for the simulator, where no money is at stake."""

    def may_send(self, account_id: int, *, is_entry: bool) -> bool:  # noqa: ARG002  # as the port has it
        """Return True."""
        return True


class NeverLive:
    """The switch for a program that only reads."""

    def may_send(self, account_id: int, *, is_entry: bool) -> bool:  # noqa: ARG002  # as the port has it
        """Return False."""
        return False
