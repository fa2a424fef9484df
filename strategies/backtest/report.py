"""The report of a backtest: its round trips, their statistics, and what became of the account."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

import numpy as np

from shared.domain.market_data.bar import Bar, minute_of
from shared.domain.market_data.bar_columns import BarColumns, seconds_of
from shared.domain.market_data.calendar import trading_day_at
from shared.domain.trades.round_trip import RoundTrip, build_round_trips
from shared.domain.trades.statistics import Statistics, TripResult, measure_excursions, statistics_of
from strategies.backtest.engine import BacktestRun
from strategies.backtest.terms import BacktestTerms

_ORIGIN = "backtest"


class Verdict(StrEnum):
    """What became of the account under its rules: the first of both that happened, or NEITHER."""

    PASSED = "PASSED"
    BREACHED = "BREACHED"
    NEITHER = "NEITHER"


@dataclass(frozen=True, slots=True)
class AccountOutcome:
    """The verdict on the account and its trading day, None for NEITHER; and how often a daily limit ended a day."""

    verdict: Verdict
    day: date | None
    day_lock_count: int


@dataclass(frozen=True, slots=True)
class BacktestTrade:
    """A round trip, its figures, and the balance after it, in dollars."""

    trip: RoundTrip
    result: TripResult
    balance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The trades, oldest first, and what was counted; `outcome` is None without rules.

    `days` are the trading days with the result of each, after costs. `entry_count` is of entries that filled,
    `decision_count` of decisions to do something, and `rejections` of what was not accepted, by the rule that forbade
    it. `held` is what is open at the end, below 0 for short, with its `open_result`.
    """

    trades: tuple[BacktestTrade, ...]
    statistics: Statistics
    outcome: AccountOutcome | None
    days: tuple[tuple[date, Decimal], ...]
    balance: Decimal
    held: int
    open_result: Decimal
    evaluation_count: int
    too_few_bars_count: int
    decision_count: int
    entry_count: int
    rejections: Mapping[str, int]
    undecided_count: int


def report_of(run: BacktestRun, minutes: BarColumns, terms: BacktestTerms) -> Report:
    """Return the report of a run over these minutes."""
    trades = tuple(_list_trades(run, minutes, terms))
    days = _results_of_days(run, terms.balance)
    span = (days[0][0], days[-1][0]) if days else None
    return Report(
        trades=trades,
        statistics=statistics_of([one.result for one in trades], span),
        outcome=_find_outcome(run, days, terms),
        days=days,
        balance=run.balance,
        held=run.held,
        open_result=run.open_result,
        evaluation_count=run.evaluation_count,
        too_few_bars_count=run.too_few_bars_count,
        decision_count=run.decisions.total(),
        entry_count=run.entry_count,
        rejections=dict(sorted(run.rejections.items())),
        undecided_count=run.undecided_count,
    )


def _list_trades(run: BacktestRun, minutes: BarColumns, terms: BacktestTerms) -> Iterator[BacktestTrade]:
    contract, balance = terms.contract, terms.balance
    seconds = minutes.seconds.tolist()
    for trip in build_round_trips(run.fills, contract.point_value).round_trips:
        found = measure_excursions(trip.direction, trip.lots, _bars_of(trip, minutes, seconds), contract)
        result = TripResult(
            account_id=0, contract_id=contract.id, strategy=trip.strategy, origin=_ORIGIN,
            closed_market_at=trip.closed_market_at, gross=trip.gross, fees=trip.fees, commissions=trip.commissions,
            mae=found.mae if found else None, mfe=found.mfe if found else None,
        )  # fmt: skip
        balance += trip.net
        yield BacktestTrade(trip, result, balance)


def _bars_of(trip: RoundTrip, minutes: BarColumns, seconds: list[int]) -> list[Bar]:
    """Return the bars that the excursions need; of a single lot those with the lowest and the highest price will do."""
    first = bisect_left(seconds, seconds_of(minute_of(trip.opened_market_at)))
    held = minutes[first : bisect_right(seconds, seconds_of(trip.closed_market_at))]
    if len(trip.lots) > 1 or not len(held):
        return held.to_bars()
    return held[np.unique([held.low.argmin(), held.high.argmax()])].to_bars()


def _results_of_days(run: BacktestRun, balance: Decimal) -> tuple[tuple[date, Decimal], ...]:
    found = []
    for day, closing in run.day_balances:
        found.append((day, closing - balance))
        balance = closing
    return tuple(found)


def _find_outcome(
    run: BacktestRun, days: tuple[tuple[date, Decimal], ...], terms: BacktestTerms
) -> AccountOutcome | None:
    """Return what became of the account; it passes at the end of a day on which target and consistency are met."""
    limits, rules = run.limits, terms.rule_book
    if limits is None or rules is None:
        return None
    breached_on = None if limits.breached_at is None else trading_day_at(limits.breached_at)
    profit, best = terms.balance - rules.starting_balance, Decimal(0)
    for day, result in days:
        if breached_on is not None and day >= breached_on:
            break
        profit, best = profit + result, max(best, result)
        is_even = rules.consistency_share is None or best <= rules.consistency_share * profit
        if rules.profit_target is not None and profit >= rules.profit_target and is_even:
            return AccountOutcome(Verdict.PASSED, day, run.day_lock_count)
    verdict = Verdict.NEITHER if breached_on is None else Verdict.BREACHED
    return AccountOutcome(verdict, breached_on, run.day_lock_count)
