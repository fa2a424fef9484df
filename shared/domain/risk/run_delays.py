"""How late the runs of the risk monitor began in the last minute; pure."""

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median_low

_WINDOW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class DelayFigures:
    """The delays of the runs of a minute."""

    run_count: int
    last: timedelta
    p50: timedelta
    longest: timedelta


@dataclass(slots=True)
class RunDelays:
    """The delays of the last minute's runs, by a clock that is never set."""

    _runs: deque[tuple[timedelta, timedelta]] = field(default_factory=deque)  # when it began, and how late that was

    def add(self, began: timedelta, delay: timedelta) -> DelayFigures:
        """Add a run that began at `began`, since the clock's origin; return the figures of the minute until then."""
        self._runs.append((began, delay))
        while self._runs[0][0] <= began - _WINDOW:
            self._runs.popleft()
        delays = [delay for _, delay in self._runs]
        return DelayFigures(len(delays), delay, median_low(delays), max(delays))
