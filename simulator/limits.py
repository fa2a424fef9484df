"""How many requests a user may make: two sliding windows of machine time, one for bars and one for all the rest."""

from collections import defaultdict, deque

from shared.clock import monotonic

# Requests and seconds, as the venue documents them (venue.md section 4).
_BARS = (50, 30.0)
_OTHER = (200, 60.0)


class Limits:
    """Counts what it lets through; a request refused is not counted."""

    def __init__(self, *, is_on: bool) -> None:
        self._is_on = is_on
        self._times: defaultdict[tuple[str, bool], deque[float]] = defaultdict(deque)

    def may_pass(self, user: str, path: str) -> bool:
        """Whether the user may make this request now."""
        if not self._is_on:
            return True
        is_bars = path == "/api/History/retrieveBars"
        most, seconds = _BARS if is_bars else _OTHER
        times, now = self._times[user.lower(), is_bars], monotonic()
        while times and times[0] <= now - seconds:
            times.popleft()
        if len(times) >= most:
            return False
        times.append(now)
        return True
