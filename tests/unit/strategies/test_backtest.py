"""The session, the rules, the report and the failures of a backtest."""

from datetime import timedelta
from decimal import Decimal

import pytest

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.bar_columns import BarColumns, from_bars
from shared.domain.market_data.calendar import Session
from shared.domain.market_data.coverage import Span
from shared.domain.orders.order import OrderType, Side
from shared.domain.risk.rule_book import PRESETS
from shared.domain.strategies.decision import Decision
from shared.domain.strategies.strategy import Strategy
from shared.domain.strategies.strategy_error import StrategyError
from shared.domain.strategies.view import View
from shared.errors import RefusedError
from strategies.backtest.engine import run_backtest
from strategies.backtest.report import Verdict, report_of
from strategies.backtest.terms import Costs
from tests.fixtures.backtests import random_trader, terms_of, told
from tests.fixtures.bar_walk import walk
from tests.fixtures.scripted_backtests import (
    EQUITY,
    MNQ,
    START,
    at,
    bars_of,
    enter,
    prices,
    run,
    scripted,
    still,
)


def test_everything_is_closed_and_cancelled_at_the_time_to_be_flat_and_nothing_is_entered_before_it() -> None:
    session = EQUITY.session_at(START)
    assert isinstance(session, Session)
    start = session.flat_by - 5 * MINUTE
    script = {0: enter(), 1: enter(type=OrderType.LIMIT, price=900), 3: enter(), 10: enter()}
    strategy = scripted(script, start)
    found = run(strategy, bars_of(*still(12), start=start))

    assert [(Side.BUY, 1, 1001), (Side.SELL, 1, 1000)] == prices(found)
    assert session.flat_by + timedelta(milliseconds=10) == found.fills[1].filled_market_at
    assert {"last_entry": 2} == found.rejections
    assert () == strategy.views[6].orders


def days_of(*prices: int) -> BarColumns:
    """Return three days of which each has a bar at each price, from 10:00 on in Chicago."""
    starts = [START + timedelta(days=number) for number in range(3)]
    bars = [Bar(day + n * MINUTE, price, price, price, price, 10) for day in starts for n, price in enumerate(prices)]
    return from_bars(bars)


def test_a_daily_loss_limit_ends_the_day_and_the_max_loss_limit_the_account() -> None:
    bars, book = days_of(10_000, 10_000, 9500, 9500, 9500), PRESETS["combine-50k-dll"]
    always = told(lambda facts: None if facts.sign else enter(stop_loss_ticks=400, quantity=4))
    found = run(always, bars, rule_book=book)
    report = report_of(found, bars, terms_of(MNQ, rule_book=book))
    first = [trade.trip for trade in report.trades]

    # Each day a gap of 500 ticks through the stop: 4 x 0.50 x 501, and 4.88 of fees.
    assert [Decimal("-1006.88"), Decimal("-1006.88")] == [trip.net for trip in first]
    assert {"daily_loss_limit": 3, "max_loss_limit": 8} == report.rejections
    assert report.outcome is not None
    assert (Verdict.BREACHED, START.date() + timedelta(days=1), 1) == (
        report.outcome.verdict, report.outcome.day, report.outcome.day_lock_count,
    )  # fmt: skip


def test_an_account_passes_at_the_end_of_the_day_that_meets_target_and_consistency() -> None:
    bars, book = days_of(10_000, 10_000, 10_800, 10_800), PRESETS["combine-50k"]
    rises = told(
        lambda facts: enter(stop_loss_ticks=100, take_profit_ticks=700, quantity=5) if facts.last == 10_000 else None
    )
    report = report_of(run(rises, bars, rule_book=book), bars, terms_of(MNQ, rule_book=book))

    assert report.outcome is not None
    assert [True] * 3 == [1500 < result < 1900 for _, result in report.days], report
    assert (Verdict.PASSED, START.date() + timedelta(days=1)) == (report.outcome.verdict, report.outcome.day)


def test_a_report_adds_up_to_the_balance() -> None:
    bars = walk(5)
    for seed in range(3):
        found = run(told(random_trader(seed)), bars)
        report = report_of(found, bars, terms_of(MNQ))

        assert report.statistics.count == len(report.trades)
        assert found.balance == report.trades[-1].balance or found.held
        assert found.balance - 50_000 == sum(result for _, result in report.days)
        assert all(trade.result.mae is not None for trade in report.trades)
        assert report.outcome is None


def test_a_strategy_that_fails_or_decides_nonsense_is_named_with_the_bar() -> None:
    def fail(_: object) -> Decision | None:
        raise ZeroDivisionError("by nothing")

    with pytest.raises(StrategyError, match=r"ToldOnce failed on the bar that closed at 2026-03-10 15:01 UTC: Zero"):
        run(told(fail), bars_of(*still(3)))
    with pytest.raises(StrategyError, match="decided 'buy' on the bar that closed at 2026-03-10 15:01 UTC"):
        run(told(lambda _: "buy"), bars_of(*still(3)))  # type: ignore[arg-type,return-value]  # what is tested


def test_a_strategy_with_too_few_bars_decides_nothing_and_is_counted() -> None:
    class Patient(Strategy, frozen=True, kw_only=True):
        timeframe: str = "1m"

        def decide(self, view: View) -> Decision | None:
            view.bars(4)
            return enter()

    found = run(Patient(), bars_of(*still(6)))

    assert (6, 3) == (found.evaluation_count, found.too_few_bars_count)
    assert 3 == found.decisions["Enter"]


def test_no_bars_are_no_evaluation() -> None:
    found = run_backtest(scripted({}), bars_of(), terms_of(MNQ), Span(at(0), at(10)))

    assert (0, []) == (found.evaluation_count, found.fills)


@pytest.mark.parametrize("wrong", [{"slippage_ticks": -1}, {"latency": MINUTE}, {"fees": Decimal(-1)}])
def test_costs_below_zero_or_a_latency_of_a_minute_are_refused(wrong: dict[str, object]) -> None:
    values: dict[str, object] = {"fees": Decimal(0), "commissions": Decimal(0)}
    with pytest.raises(RefusedError, match="invalid"):
        Costs(**values | wrong)  # type: ignore[arg-type]  # as above
