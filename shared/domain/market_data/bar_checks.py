"""What must be true of the bars of a contract, for all of them at once."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from shared.domain.market_data.bar import MOST
from shared.domain.market_data.bar_columns import BarColumns, Integers, seconds_of, time_of
from shared.domain.market_data.coverage import Span

Flags = NDArray[np.bool_]
MINUTE_S = 60


def is_ordered(bars: BarColumns) -> Flags:
    """Whether low and high enclose open and close."""
    return (bars.low <= np.minimum(bars.open, bars.close)) & (bars.high >= np.maximum(bars.open, bars.close))


def is_storable(bars: BarColumns, group: str) -> Flags:
    """Whether volume and prices are none below zero, and not too large to be packed. Energy has had prices below it."""
    is_priced = (bars.low > 0) | (group == "energy")
    return is_priced & (bars.volume >= 0) & (bars.volume <= MOST) & (bars.high <= MOST) & (bars.low >= -MOST)


def is_within(seconds: Integers, spans: Iterable[Span]) -> Flags:
    """Whether instants lie in any of the spans, which are oldest first and do not overlap."""
    edges = [(seconds_of(span.start), seconds_of(span.end)) for span in spans]
    if not edges:
        return np.zeros(len(seconds), dtype=np.bool_)
    starts, ends = np.array(edges).T
    index = np.searchsorted(starts, seconds, side="right") - 1
    is_inside: Flags = (index >= 0) & (seconds < ends[index])
    return is_inside


def find_runs(seconds: Integers) -> tuple[Integers, Integers]:
    """Return the starts and the ends of the runs of minutes that follow each other, in seconds, oldest first."""
    breaks = np.flatnonzero(np.diff(seconds) != MINUTE_S)
    is_any = min(len(seconds), 1)
    return seconds[np.append(np.zeros(is_any, dtype=np.int64), breaks + 1)], seconds[
        np.append(breaks, np.full(is_any, len(seconds) - 1))
    ] + MINUTE_S


def span_of(seconds: Integers) -> Span:
    """Return the span from the first to the end of the last of minutes, of which there is at least one."""
    return Span(time_of(int(seconds.min())), time_of(int(seconds.max()) + MINUTE_S))
