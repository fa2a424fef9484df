"""How many requests a user may make: two sliding windows of machine time, one for bars and one for all the rest."""

from collections import Counter, defaultdict, deque
from typing import Literal

from shared.clock import monotonic

# Requests and seconds, as the venue documents them; an older copy of its page says 30 for bars (venue.md section 4).
_BARS, _BARS_BEFORE = (50, 30.0), (30, 30.0)
_OTHER = (200, 60.0)
Profile = Literal["on", "30", "off"]


class Limits:
    """Counts what it lets through; a request refused is not counted among those, but by user and path in `refused`."""

    def __init__(self, profile: Profile) -> None:
        self._is_on = profile != "off"
        self._bars = _BARS_BEFORE if profile == "30" else _BARS
        self.refused: Counter[str] = Counter()
        self._times: defaultdict[tuple[str, bool], deque[float]] = defaultdict(deque)

    def may_pass(self, user: str, path: str) -> bool:
        """Whether the user may make this request now."""
        if not self._is_on:
            return True
        is_bars = path == "/api/History/retrieveBars"
        most, seconds = self._bars if is_bars else _OTHER
        times, now = self._times[user.lower(), is_bars], monotonic()
        while times and times[0] <= now - seconds:
            times.popleft()
        if len(times) >= most:
            self.refused[f"{user.lower()} {path}"] += 1
            return False
        times.append(now)
        return True
