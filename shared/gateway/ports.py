"""What the gateway needs from others: a place for tokens, a limiter, a log of calls."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from shared.domain.accounts.login import Token
from shared.fleets import Queue

Budget = Literal["bars", "other"]  # the venue counts History/retrieveBars apart from everything else


@dataclass(frozen=True, slots=True)
class Call:
    """One request that left for the venue, asked by a job of `queue`.

    `status` is None without an answer; `error` is None when all went well.
    """

    endpoint: str
    method: str
    started_at: datetime
    duration: timedelta
    status: int | None
    error: str | None
    queue: Queue


class TokenStore(Protocol):
    """Keeps the token that all processes of one login share; still does its work when it can keep it for one only."""

    def get(self) -> Token | None:
        """Return the token, or None when there is none or it is over."""

    def put(self, token: Token) -> None:
        """Keep a token that the venue has just issued."""

    def drop(self, text: str) -> None:
        """Forget the token with this text; another one that was put meanwhile stays."""

    def login(self) -> AbstractContextManager[None]:
        """Hold the right to log in; raise RetryableError when another holds it for too long or did so just now."""

    def may_renew(self) -> bool:
        """Whether the caller, alone of all, is to renew the token now; if it fails another is asked in a minute."""


class Limiter(Protocol):
    """Counts requests so that we stay below the venue's limits."""

    def counted(self, budget: Budget, queue: Queue) -> AbstractContextManager[None]:
        """Count the request that is made inside, from its start until its end.

        Raise RateLimitedError, which says when to come back, if jobs of `queue` may make none now; never wait.
        """

    def refused(self, budget: Budget, retry_after: timedelta | None) -> timedelta:
        """Take note of a 429: let nobody ask for as long as the venue said, or as we judge; return how long."""


class CallLog(Protocol):
    """Takes note of what was asked of the venue."""

    def record(self, call: Call) -> None:
        """Take note of one call; must be quick and must not raise."""


class LiveSwitch(Protocol):
    """Says whose orders may reach the venue."""

    def lets_through(self, account_id: int, *, is_entry: bool) -> bool:
        """Whether an order of the account may leave; what only reduces passes also after it was switched off again."""


class AlwaysLive:
    """The switch of the simulator, where nothing is at stake."""

    def lets_through(self, account_id: int, *, is_entry: bool) -> bool:  # noqa: ARG002  # as the port has it
        """Let everything through."""
        return True


class NeverLive:
    """The switch of who only reads."""

    def lets_through(self, account_id: int, *, is_entry: bool) -> bool:  # noqa: ARG002  # as the port has it
        """Let nothing through."""
        return False
