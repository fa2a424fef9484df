"""Bars longer and shorter than a minute, derived from one-minute bars, newest first."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.calendar import CHICAGO
from shared.domain.market_data.contract import Contract
from simulator.market.market import Market

_OPENS = time(17)
_SECOND = timedelta(seconds=1)
_FIRST_START = date(1, 1, 3)  # the evening before it can still be told in any time zone


def aggregate_bars(newest_first: Iterable[Bar], start_of: Callable[[datetime], datetime]) -> Iterator[Bar | None]:
    """Yield one bar for each run of bars to which `start_of` gives the same start; a period without bars has none.

    Yield None for each bar that completes no other, so that the caller can pause.
    """
    group: list[Bar] = []
    start = datetime.min.replace(tzinfo=UTC)
    for bar in newest_first:
        starts = start_of(bar.start)
        if group and starts != start:
            yield _merge_bars(group, start)
            group = []
        else:
            yield None
        group.append(bar)
        start = starts
    if group:
        yield _merge_bars(group, start)


def _merge_bars(newest_first: list[Bar], start: datetime) -> Bar:
    return Bar(
        start=start,
        open=newest_first[-1].open,
        high=max(bar.high for bar in newest_first),
        low=min(bar.low for bar in newest_first),
        close=newest_first[0].close,
        volume=sum(bar.volume for bar in newest_first),
    )


def period_start(trading_day: date, unit: str, number: int) -> datetime:
    """Return the start of the `number` days, weeks or months of a trading day: 17:00 in Chicago the day before.

    `unit` is "day", "week" or "month". Weeks begin on Monday, also on a holiday.
    """
    if unit == "month":
        months = max(12, (trading_day.year * 12 + trading_day.month - 1) // number * number)
        first = date(months // 12, months % 12 + 1, 1)
    elif unit == "week":
        week = (trading_day.toordinal() - 1) // 7 // number * number
        first = date.fromordinal(week * 7 + 1)
    else:
        first = date.fromordinal(max(1, trading_day.toordinal() // number * number))
    return datetime.combine(max(first, _FIRST_START) - timedelta(days=1), _OPENS, CHICAGO).astimezone(UTC)


def second_bars(market: Market, contract: Contract, minute: Bar, now: datetime) -> Iterator[Bar]:
    """Yield the one-second bars of a whole minute that are over at `now`, newest first; all of them add up to it."""
    path = market.path(contract, minute)
    for number in range(min(MINUTE, now - minute.start) // _SECOND - 1, -1, -1):
        start = minute.start + number * _SECOND
        end = start + _SECOND
        pieces = [move.clip(start, end) for move in path if move.end > start and move.start < end]
        prices = [price for move in pieces for price in (move.start_price, move.end_price)]
        if prices:
            before, after = (market.volume_until(contract, minute, at) for at in (start, end))
            yield Bar(start, prices[0], max(prices), min(prices), prices[-1], after - before)
