"""The statement of a month: its trades by trading day, with their fees, added up exactly."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from shared.domain.market_data.calendar import trading_day_at, trading_day_begins
from shared.domain.trades.statistics import TripResult
from shared.domain.years import YEARS, require_year

_MONTH = re.compile(r"(\d{4})-(\d{2})")
_DECEMBER = 12
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class StatementLine:
    """The sums of the trades of one trading day, or of the whole month without a day; money is in dollars."""

    trading_day: date | None
    count: int
    gross: Decimal
    fees: Decimal
    commissions: Decimal

    @property
    def net(self) -> Decimal:
        """The result after fees and commissions."""
        return self.gross - self.fees - self.commissions


def parse_month(text: str) -> date:
    """Return the first day of a month such as 2026-11; raise ValueError for what is none."""
    found = _MONTH.fullmatch(text.strip())
    try:
        first = date(int(found[1]), int(found[2]), 1) if found else date.min
        require_year(first)
    except ValueError:
        raise ValueError(f"invalid month {text!r}: expected a month such as 2026-11, {YEARS}") from None
    return first


def next_month(first: date) -> date:
    """Return the first day of the month after."""
    return date(first.year + first.month // _DECEMBER, first.month % _DECEMBER + 1, 1)


def month_span(first: date) -> tuple[datetime, datetime]:
    """Return when the first trading day of a month begins, and when the first one of the next month does."""
    return trading_day_begins(first), trading_day_begins(next_month(first))


def lines_by_day(results: Iterable[TripResult]) -> list[StatementLine]:
    """Return the sums of each trading day with a trade, oldest first; a trade counts on the day of its close."""
    by_day: dict[date, list[TripResult]] = {}
    for result in results:
        by_day.setdefault(trading_day_at(result.closed_market_at), []).append(result)
    return [_add_up(day, trips) for day, trips in sorted(by_day.items())]


def total_of(results: Sequence[TripResult]) -> StatementLine:
    """Return the sums of all trades."""
    return _add_up(None, results)


def _add_up(day: date | None, trips: Sequence[TripResult]) -> StatementLine:
    return StatementLine(
        day,
        len(trips),
        sum((trip.gross for trip in trips), start=_ZERO),
        sum((trip.fees for trip in trips), start=_ZERO),
        sum((trip.commissions for trip in trips), start=_ZERO),
    )
