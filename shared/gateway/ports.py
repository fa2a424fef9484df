"""What the gateway needs from others: a place for tokens, a limiter, a log of calls."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

Budget = Literal["bars", "other"]  # the venue counts History/retrieveBars apart from everything else


@dataclass(frozen=True, slots=True)
class Call:
    """One request that left for the venue. `status` is None without an answer; `error` is None when all went well."""

    endpoint: str
    method: str
    started_at: datetime
    duration: timedelta
    status: int | None
    error: str | None


class TokenStore(Protocol):
    """Keeps the token that all processes of one login share."""

    def get(self) -> str | None:
        """Return the token, or None when there is none or it is too old."""

    def put(self, token: str) -> None:
        """Keep a token that the venue has just issued."""

    def drop(self, token: str) -> None:
        """Forget `token`; another one that was put meanwhile stays."""

    def login(self) -> AbstractContextManager[None]:
        """Hold the right to log in; raise RetryableError when another holds it for too long."""


class Limiter(Protocol):
    """Counts requests so that we stay below the venue's limits."""

    def acquire(self, budget: Budget) -> None:
        """Count one request, or raise RateLimitedError, which says when to come back; never wait."""


class CallLog(Protocol):
    """Takes note of what was asked of the venue."""

    def record(self, call: Call) -> None:
        """Take note of one call; must be quick and must not raise."""
