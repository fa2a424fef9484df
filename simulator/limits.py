"""The request limits of a user: two sliding windows of machine time, one for bars and one for all other paths."""

from collections import Counter, defaultdict, deque
from collections.abc import Mapping

from shared.clock import monotonic

Window = tuple[int, float]  # the most requests, and the length of the window in seconds
BARS = "/api/History/retrieveBars"
OTHER: Window = (200, 60.0)
# The window of `retrieveBars` by profile, as the venue documents it now and in older copies (venue.md section 4).
PROFILES: Mapping[str, Window | None] = {"on": (50, 30.0), "30": (30, 30.0), "off": None}


class Limits:
    """Counts the allowed requests of each user; a refused request takes no place in the window. `off` allows all."""

    def __init__(self, profile: str = "on") -> None:
        self.profile = profile
        self.limited_counts: Counter[tuple[str, str]] = Counter()  # by user and path, since the start
        self._bars = PROFILES[profile]
        self._times: defaultdict[tuple[str, bool], deque[float]] = defaultdict(deque)

    def may_pass(self, user: str, path: str) -> bool:
        """Whether the user may make this request now."""
        if self._bars is None:
            return True
        is_bars = path == BARS
        most, seconds = self._bars if is_bars else OTHER
        times, now = self._times[user.lower(), is_bars], monotonic()
        while times and times[0] <= now - seconds:
            times.popleft()
        if len(times) >= most:
            self.limited_counts[user.lower(), path] += 1
            return False
        times.append(now)
        return True
