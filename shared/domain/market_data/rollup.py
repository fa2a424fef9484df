"""Longer bars from one-minute bars."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

from shared.domain.market_data.bar import Bar

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def roll_up(bars: Sequence[Bar], timeframe: timedelta, closed_until: datetime) -> list[Bar]:
    """Return the bars of `timeframe` made of `bars` (one minute, oldest first) that have closed by `closed_until`.

    Bars start on multiples of the timeframe since midnight UTC, which for timeframes up to an hour are also multiples
    since the session's open. A minute without a trade has no bar; the longer bar is made of the other minutes.
    """
    return [
        Bar(
            start,
            open=minutes[0].open,
            high=max(bar.high for bar in minutes),
            low=min(bar.low for bar in minutes),
            close=minutes[-1].close,
            volume=sum(bar.volume for bar in minutes),
        )
        for start, minutes in _group_by_start(bars, timeframe)
        if start + timeframe <= closed_until
    ]


def start_of(at: datetime, timeframe: timedelta) -> datetime:
    """Return the start of the bar of `timeframe` that contains `at`."""
    return _EPOCH + (at - _EPOCH) // timeframe * timeframe


def _group_by_start(bars: Sequence[Bar], timeframe: timedelta) -> list[tuple[datetime, list[Bar]]]:
    return [(start, list(group)) for start, group in groupby(bars, lambda bar: start_of(bar.start, timeframe))]
