"""Indicators over closed bars: ticks in, plain floats out, which never become prices."""

from collections.abc import Sequence
from itertools import pairwise

from shared.domain.market_data.bar import Bar


def simple_average(values: Sequence[float], length: int) -> float:
    """Return the plain average of the last `length` values; raise ValueError if there are fewer."""
    _require_count(values, length)
    return sum(values[-length:]) / length


def true_ranges(bars: Sequence[Bar]) -> list[int]:
    """Return max(high - low, |high - previous close|, |low - previous close|) of every bar but the first, in ticks."""
    return [
        max(bar.high - bar.low, abs(bar.high - before.close), abs(bar.low - before.close))
        for before, bar in pairwise(bars)
    ]


def average_true_range(bars: Sequence[Bar], length: int) -> float:
    """Return the plain average of the last `length` true ranges, in ticks; needs `length` + 1 bars."""
    return simple_average(true_ranges(bars), length)


def relative_strength(closes: Sequence[int], length: int) -> float:
    """Return the RSI of the last `length` changes with plain averages (Cutler's), 0 to 100; 50 when nothing moved.

    Needs `length` + 1 closes.
    """
    _require_count(closes, length + 1)
    recent = closes[-length - 1 :]
    changes = [after - before for before, after in pairwise(recent)]
    gain = sum(change for change in changes if change > 0)
    loss = -sum(change for change in changes if change < 0)
    return 100 * gain / (gain + loss) if gain + loss else 50.0


def _require_count(values: Sequence[float], count: int) -> None:
    if len(values) < count:
        raise ValueError(f"invalid series of {len(values)} values: expected at least {count}")
