"""Bars longer than a minute, made of the market's one-minute bars, newest first."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from shared.domain.bar import Bar


def aggregated(newest_first: Iterable[Bar], start_of: Callable[[datetime], datetime]) -> Iterator[Bar]:
    """Yield one bar for each run of bars that `start_of` sends to the same start; no bar where nothing traded."""
    group: list[Bar] = []
    for bar in newest_first:
        if group and start_of(group[0].start) != start_of(bar.start):
            yield _joined(group, start_of)
            group = []
        group.append(bar)
    if group:
        yield _joined(group, start_of)


def _joined(newest_first: list[Bar], start_of: Callable[[datetime], datetime]) -> Bar:
    return Bar(
        start=start_of(newest_first[0].start),
        open=newest_first[-1].open,
        high=max(bar.high for bar in newest_first),
        low=min(bar.low for bar in newest_first),
        close=newest_first[0].close,
        volume=sum(bar.volume for bar in newest_first),
    )
