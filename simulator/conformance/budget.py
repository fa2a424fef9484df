"""The request budget: it keeps a run below the gateway's limits (venue.md section 4)."""

import math
import sys
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import timedelta
from threading import Event

from shared.clock import monotonic
from shared.errors import RateLimitedError

BARS = "/api/History/retrieveBars"
BARS_LIMIT, OTHER_LIMIT = (40, 31.0), (170, 61.0)  # requests, and the seconds in which they may be sent


def wait_seconds(seconds: float) -> None:
    """Wait; no thread of this program has anything else to do."""
    Event().wait(max(0.0, seconds))


class RequestBudget:
    """Counts the requests of two sliding windows, and waits before one that would exceed them.

    `wait` waits some seconds; a program with an open hub gives one that pings meanwhile. No request is sent and no wait
    begun beyond `ends_at` (as `monotonic` counts): RateLimitedError is raised at once.
    """

    def __init__(self) -> None:
        self.wait: Callable[[float], None] = wait_seconds
        self.ends_at = math.inf
        self._times: defaultdict[bool, deque[float]] = defaultdict(deque)

    def wait_for_window(self, path: str) -> None:
        """Wait until the whole window of `path` has passed, after a 429."""
        _, window = _limit_of(path)
        self._require_time(path, window)
        sys.stderr.write(f"        the limit of requests is spent: waiting {window:.0f} s\n")
        self.wait(window)

    def wait_for_turn(self, path: str) -> None:
        """Wait until a request for `path` is within the budget, and count it."""
        if self.seconds_left <= 0:
            raise RateLimitedError(f"no time is left: {path} was not sent", timedelta(0))
        most, window = _limit_of(path)
        times = self._times[path == BARS]
        if len(times) >= most:
            left = times[-most] + window - monotonic()
            self._require_time(path, left)
            self.wait(left)
        times.append(monotonic())
        while len(times) > most:
            times.popleft()

    @property
    def seconds_left(self) -> float:
        """The time until `ends_at`, infinite without one."""
        return self.ends_at - monotonic()

    def _require_time(self, path: str, seconds: float) -> None:
        if monotonic() + seconds > self.ends_at:
            raise RateLimitedError(f"the limit of requests is spent: {path} was not sent", timedelta(seconds=seconds))


def _limit_of(path: str) -> tuple[int, float]:
    return BARS_LIMIT if path == BARS else OTHER_LIMIT
