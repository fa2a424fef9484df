"""The request budget: it keeps a run below the gateway's limits (venue.md section 4)."""

import sys
from collections import deque
from threading import Event

from shared.clock import monotonic

BARS = "/api/History/retrieveBars"
_ALLOWED = {True: (40, 31.0), False: (170, 61.0)}  # bars, others: requests, and the seconds in which they may be sent


def wait_seconds(seconds: float) -> None:
    """Wait; no thread of this program has anything else to do."""
    Event().wait(max(0.0, seconds))


class RequestBudget:
    """Counts the requests of two sliding windows, and waits before one that would exceed them."""

    def __init__(self) -> None:
        self._times: dict[bool, deque[float]] = {True: deque(), False: deque()}

    def wait_for_window(self, path: str) -> None:
        """Wait until the whole window of `path` has passed, after a 429."""
        is_bars = path == BARS
        _, window = _ALLOWED[is_bars]
        sys.stderr.write(f"        the limit of requests is spent: waiting {window:.0f} s\n")
        wait_seconds(window)
        self._times[is_bars].append(monotonic())

    def wait_for_turn(self, path: str) -> None:
        """Wait until a request for `path` is within the budget, and count it."""
        is_bars = path == BARS
        most, window = _ALLOWED[is_bars]
        times = self._times[is_bars]
        if len(times) >= most:
            wait_seconds(times[-most] + window - monotonic())
        times.append(monotonic())
        while len(times) > most:
            times.popleft()
