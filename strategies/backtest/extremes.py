"""The highest and the lowest price of the closed minutes since a position was opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Extremes:
    """Prices in ticks; None before a minute has closed that began after the position was opened.

    The minute in which it was opened does not count: its prices may be from before.
    """

    high: int | None = None
    low: int | None = None
    _opened_at: datetime | None = None
    _next: int = 0  # the index of the first minute that has not been seen

    def update(
        self, opened_at: datetime | None, first: int, until: int, highs: Sequence[int], lows: Sequence[int]
    ) -> None:
        """Take in the closed minutes before the index `until`; `first` is that of the first one after the opening."""
        if opened_at != self._opened_at:
            self._opened_at, self._next, self.high, self.low = opened_at, first, None, None
        if opened_at is None or self._next >= until:
            return
        high, low = max(highs[self._next : until]), min(lows[self._next : until])
        self.high = high if self.high is None else max(self.high, high)
        self.low = low if self.low is None else min(self.low, low)
        self._next = until
