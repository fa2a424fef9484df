"""Statistics of round trips, live or of a backtest: results, rates, drawdown, and the excursions of each."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from shared.domain.market_data.bar import Bar, minute_of
from shared.domain.market_data.calendar import assumed_calendar_of, trading_day_at
from shared.domain.market_data.contract import Contract, root_of_contract
from shared.domain.orders.order import Direction
from shared.domain.trades.round_trip import Lot

_CENT = Decimal("0.01")
_RATE_STEP = Decimal("0.0001")
_ZERO = Decimal(0)
_SATURDAY = 5
UNKNOWN_LABEL = "unknown"


@dataclass(frozen=True, slots=True)
class Excursions:
    """The worst (`mae`, at most 0) and the best (`mfe`, at least 0) open result of a round trip, in dollars.

    Maximum adverse and maximum favourable excursion. Source: J. Sweeney, Maximum Adverse Excursion, 1996.
    """

    mae: Decimal
    mfe: Decimal


@dataclass(frozen=True, slots=True)
class TripResult:
    """The figures of one round trip; `mae` and `mfe` are None if bars were missing."""

    account_id: int
    contract_id: str
    strategy: str | None
    origin: str | None
    closed_market_at: datetime
    gross: Decimal
    fees: Decimal
    commissions: Decimal
    mae: Decimal | None = None
    mfe: Decimal | None = None

    @property
    def net(self) -> Decimal:
        """The result after fees and commissions."""
        return self.gross - self.fees - self.commissions


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall of the cumulative net result below its running maximum, which begins at 0.

    `from_market_at` is the close of the round trip that made the high, None for the 0 at the beginning;
    `to_market_at` is that of the one that made the low, None without a fall.
    """

    amount: Decimal = _ZERO
    from_market_at: datetime | None = None
    to_market_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Statistics:
    """The statistics of some round trips. Money is in dollars; a win or a loss is one by `net`, after costs.

    `win_rate` = wins / count, and `expectancy` = net / count, break-even ones included. `profit_factor` = net of all
    wins / -(net of all losses), None without a loss, not 0. Averages are means; a figure with nothing to divide by
    is None. `average_mae` and `average_mfe` are over the `measured_count` round trips that have them.

    `sharpe` and `sortino` are ratios of a day, over the net results of `day_count` trading days, those without a round
    trip among them as 0: their mean / their standard deviation (divided by one less than their count), and their mean /
    the root of the mean square of the losing ones. Times the root of 252 they are those of a year. Sources: W. F.
    Sharpe, The Sharpe Ratio, 1994; F. A. Sortino and R. van der Meer, Downside Risk, 1991, with a target of 0.
    """

    count: int
    wins: int
    losses: int
    break_even: int
    win_rate: Decimal | None
    gross: Decimal
    fees: Decimal
    commissions: Decimal
    net: Decimal
    average_win: Decimal | None
    average_loss: Decimal | None
    largest_win: Decimal | None
    largest_loss: Decimal | None
    profit_factor: Decimal | None
    expectancy: Decimal | None
    max_drawdown: Drawdown
    measured_count: int
    average_mae: Decimal | None
    average_mfe: Decimal | None
    day_count: int
    sharpe: Decimal | None
    sortino: Decimal | None


def statistics_of(results: Iterable[TripResult], days: tuple[date, date] | None = None) -> Statistics:
    """Return the statistics of the round trips, given in any order.

    `days` are the first and the last trading day; None: those of the first and the last close.
    """
    trips = sorted(results, key=lambda result: result.closed_market_at)
    wins = [trip.net for trip in trips if trip.net > 0]
    losses = [trip.net for trip in trips if trip.net < 0]
    maes = [trip.mae for trip in trips if trip.mae is not None]
    mfes = [trip.mfe for trip in trips if trip.mfe is not None]
    net = _sum(trip.net for trip in trips)
    daily = _list_daily(trips, days)
    return Statistics(
        count=len(trips),
        wins=len(wins),
        losses=len(losses),
        break_even=len(trips) - len(wins) - len(losses),
        win_rate=_ratio(Decimal(len(wins)), Decimal(len(trips)), _RATE_STEP),
        gross=_sum(trip.gross for trip in trips),
        fees=_sum(trip.fees for trip in trips),
        commissions=_sum(trip.commissions for trip in trips),
        net=net,
        average_win=_mean(wins),
        average_loss=_mean(losses),
        largest_win=max(wins, default=None),
        largest_loss=min(losses, default=None),
        profit_factor=_ratio(_sum(wins), -_sum(losses), _RATE_STEP),
        expectancy=_ratio(net, Decimal(len(trips)), _CENT),
        max_drawdown=max_drawdown(trips),
        measured_count=len(maes),
        average_mae=_mean(maes),
        average_mfe=_mean(mfes),
        day_count=len(daily),
        sharpe=_sharpe(daily),
        sortino=_sortino(daily),
    )


def max_drawdown(trips: Sequence[TripResult]) -> Drawdown:
    """Return the deepest fall of the cumulative net result; `trips` are in the order of their close."""
    deepest = Drawdown()
    total = high = _ZERO
    high_at: datetime | None = None
    for trip in trips:
        total += trip.net
        if total > high:
            high, high_at = total, trip.closed_market_at
        elif high - total > deepest.amount:
            deepest = Drawdown(high - total, high_at, trip.closed_market_at)
    return deepest


def label_of(strategy: str | None, origin: str | None) -> str:
    """Return the label that a round trip counts under: its strategy, else the origin of its order, else unknown."""
    return strategy or origin or UNKNOWN_LABEL


def _day_of(result: TripResult) -> str:
    """Return the Chicago trading day in which a round trip closed; 18:00 belongs to the next day."""
    calendar = assumed_calendar_of(root_of_contract(result.contract_id).group)
    return calendar.trading_day_of(result.closed_market_at).isoformat()


GROUPINGS: dict[str, Callable[[TripResult], str]] = {
    "strategy": lambda result: label_of(result.strategy, result.origin),
    "contract": lambda result: result.contract_id,
    "account": lambda result: str(result.account_id),
    "day": _day_of,
}


def group_statistics(results: Iterable[TripResult], by: str) -> list[tuple[str, Statistics]]:
    """Return the statistics per strategy, contract, account id or day (a key of GROUPINGS), sorted by name."""
    key = GROUPINGS[by]
    groups: dict[str, list[TripResult]] = {}
    for result in results:
        groups.setdefault(key(result), []).append(result)
    return [(name, statistics_of(group)) for name, group in sorted(groups.items())]


def measure_excursions(
    direction: Direction, lots: Sequence[Lot], bars: Iterable[Bar], contract: Contract
) -> Excursions | None:
    """Return the worst and the best open result of a round trip, minute by minute, before costs.

    In each minute the open result is that of the lots held then, each from its own entry: the quantity held times the
    distance of the bar's low or high from the average entry price. The minutes of entry and exit count whole, so
    prices from before the entry and after the exit may count; an excursion is never too small. None if a lot has no
    bar at all, or was held before the first fill; the caller must make sure that no other bar is missing.
    """
    by_start = {bar.start: bar for bar in bars}
    worst: dict[datetime, Fraction] = {}
    best: dict[datetime, Fraction] = {}
    sign = -1 if direction is Direction.SHORT else 1
    for lot in lots:
        first, last = minute_of(lot.entered_market_at), minute_of(lot.exited_market_at)
        held = [bar for start, bar in by_start.items() if first <= start <= last]
        if not held or lot.entry_fill_id is None:
            return None
        worth = contract.point_value * sign * lot.quantity
        for bar in held:
            edges = [
                (ticks * Fraction(contract.tick_size) - Fraction(lot.entry_price)) * worth
                for ticks in (bar.low, bar.high)
            ]
            worst[bar.start] = worst.get(bar.start, Fraction(0)) + min(edges)
            best[bar.start] = best.get(bar.start, Fraction(0)) + max(edges)
    if not worst:
        return None
    return Excursions(_cents(min(Fraction(0), *worst.values())), _cents(max(Fraction(0), *best.values())))


def _list_daily(trips: Sequence[TripResult], days: tuple[date, date] | None) -> list[Decimal]:
    """Return the net result of each trading day, Monday to Friday; `trips` are in the order of their close."""
    by_day: dict[date, Decimal] = {}
    for trip in trips:
        day = trading_day_at(trip.closed_market_at)
        by_day[day] = by_day.get(day, _ZERO) + trip.net
    if days is None and not trips:
        return []
    first, last = days or (min(by_day), max(by_day))
    every = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [by_day.get(day, _ZERO) for day in every if day in by_day or day.weekday() < _SATURDAY]


def _sharpe(daily: Sequence[Decimal]) -> Decimal | None:
    if len(daily) <= 1:
        return None
    mean = Fraction(_sum(daily)) / len(daily)
    return _over_root(mean, sum((Fraction(one) - mean) ** 2 for one in daily) / Fraction(len(daily) - 1))


def _sortino(daily: Sequence[Decimal]) -> Decimal | None:
    if not daily:
        return None
    mean = Fraction(_sum(daily)) / len(daily)
    return _over_root(mean, sum(Fraction(min(one, _ZERO)) ** 2 for one in daily) / Fraction(len(daily)))


def _over_root(value: Fraction, square: Fraction) -> Decimal | None:
    if not square:
        return None
    root = (Decimal(square.numerator) / Decimal(square.denominator)).sqrt()
    return round(value / Fraction(root) / Fraction(_RATE_STEP)) * _RATE_STEP


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, start=_ZERO)


def _mean(amounts: Sequence[Decimal]) -> Decimal | None:
    return _ratio(_sum(amounts), Decimal(len(amounts)), _CENT)


def _ratio(numerator: Decimal, denominator: Decimal, step: Decimal) -> Decimal | None:
    """Return the ratio rounded half-even to `step`, None if `denominator` is 0."""
    if not denominator:
        return None
    return round(Fraction(numerator) / Fraction(denominator) / Fraction(step)) * step


def _cents(value: Fraction) -> Decimal:
    return round(value / Fraction(_CENT)) * _CENT
