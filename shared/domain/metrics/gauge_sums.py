"""Sums of gauges by minute, which a process keeps in memory until it stores them; pure.

A gauge is a figure that is read again and again, such as the memory of a program, and not the duration of something.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


class Gauge(NamedTuple):
    """One figure: its kind, what it is read of (a program, a contract, a budget), and its name, which has the unit."""

    kind: str
    source: str
    name: str


@dataclass(frozen=True, slots=True)
class GaugeSum:
    """The values of a gauge in the minute that begins at `minute_at`, or in a part of it."""

    gauge: Gauge
    minute_at: datetime
    count: int
    total: Decimal
    least: Decimal
    most: Decimal


@dataclass(slots=True)
class GaugeSums:
    """What was read since the last `take`."""

    _sums: dict[tuple[Gauge, datetime], GaugeSum] = field(default_factory=dict)

    def add(self, gauge: Gauge, value: float, at: datetime) -> None:
        """Add a value that was read at an instant of machine time; it is rounded to a thousandth."""
        rounded = Decimal(f"{value:.3f}")
        minute_at = at.replace(second=0, microsecond=0)
        before = self._sums.get((gauge, minute_at))
        if before is None:
            found = GaugeSum(gauge, minute_at, 1, rounded, rounded, rounded)
        else:
            found = GaugeSum(
                gauge,
                minute_at,
                before.count + 1,
                before.total + rounded,
                min(before.least, rounded),
                max(before.most, rounded),
            )
        self._sums[gauge, minute_at] = found

    def take(self) -> list[GaugeSum]:
        """Return the sums, and forget them: a sum that is stored twice would count twice."""
        taken, self._sums = list(self._sums.values()), {}
        return taken
