"""What a strategy sees in a backtest: all that has closed, and nothing of what comes later."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.market_data.bar_columns import seconds_of
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.rollup import end_of, roll_up
from shared.domain.market_data.timeframe import Timeframe
from shared.domain.orders.order import Role, Side
from shared.domain.risk.rule_book import PRESETS
from shared.domain.strategies.view import PositionFacts
from strategies.backtest.engine import run_backtest
from tests.fixtures.backtests import fills_of, random_trader, terms_of, told
from tests.fixtures.bar_walk import walk
from tests.fixtures.scripted_backtests import (
    EQUITY,
    MNQ,
    START,
    at,
    bars_of,
    enter,
    run,
    scripted,
    still,
)


@pytest.mark.parametrize("timeframe", ["1m", "5m", "1h", "4h", "1d", "1w"])
def test_a_view_has_every_bar_that_has_closed_and_none_that_has_not(timeframe: str) -> None:
    bars, wanted = walk(9), Timeframe.parse(timeframe)
    strategy = scripted({})
    run(strategy, bars)
    for view in strategy.views[:: max(1, len(strategy.views) // 200)]:
        seen = view.read_bars(wanted, 10_000)
        known = bars[bars.seconds + 60 <= seconds_of(view.now)]
        expected = roll_up(known, wanted, view.now, EQUITY)

        assert all(np.array_equal(a, b) for a, b in zip(expected.arrays, seen.arrays, strict=True))
        assert all(end_of(bar.start, wanted, EQUITY) <= view.now for bar in seen.to_bars()[-3:])


def test_a_view_that_is_kept_sees_no_bar_that_closed_after_it() -> None:
    strategy = scripted({})
    run(strategy, walk(3))
    first = strategy.views[0]

    assert 1 == len(first.read_bars(Timeframe.parse("1m"), 100))
    assert 0 == len(first.read_since(Timeframe.parse("1d"), START - timedelta(days=30)))


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), cut=st.integers(200, 1500))
def test_what_comes_later_changes_nothing_of_what_was_done_before(seed: int, cut: int) -> None:
    bars = walk(3)[:1500]
    strategy = told(random_trader(seed))
    whole = fills_of(run(strategy, bars))
    part = fills_of(run(strategy, bars[:cut]))

    assert [one for one in whole if one[0] < datetime.fromtimestamp(int(bars.seconds[cut - 1]), UTC)] == [
        one for one in part if one[0] < datetime.fromtimestamp(int(bars.seconds[cut - 1]), UTC)
    ]


def test_a_strategy_is_asked_once_for_each_closed_bar_of_its_timeframe_with_a_trade() -> None:
    bars = bars_of(*still(12))
    without = bars[(bars.seconds < seconds_of(at(5))) | (bars.seconds >= seconds_of(at(10)))]

    assert 12 == run(scripted({}), bars).evaluation_count
    assert 2 == run(told(lambda _: None, "5m"), bars).evaluation_count
    assert 1 == run(told(lambda _: None, "5m"), without).evaluation_count


def test_bars_before_the_span_are_seen_and_not_traded() -> None:
    strategy = scripted({n: enter() for n in range(10)})
    bars = bars_of(*still(10))
    found = run_backtest(strategy, bars, terms_of(MNQ), Span(at(5), at(10)))

    assert 5 == found.evaluation_count
    assert 6 == len(strategy.views[0].read_bars(Timeframe.parse("1m"), 100))
    assert at(6) < found.fills[0].filled_market_at < at(7)


def test_the_best_and_the_worst_price_are_of_minutes_after_the_one_of_the_entry() -> None:
    strategy = scripted({0: enter(Side.SELL, stop_loss_ticks=900)})
    run(strategy, bars_of((1000, 1000, 1000, 1000), (1000, 1500, 500, 1000), (1000, 1010, 980, 1000), *still(2)))

    assert PositionFacts() == strategy.views[0].position
    seen = [(view.position.best, view.position.worst) for view in strategy.views[1:]]
    assert [(None, None), (980, 1010), (980, 1010), (980, 1010)] == seen
    assert (-1, Fraction(1000)) == (strategy.views[1].position.quantity, strategy.views[1].position.average_price)


def test_a_view_shows_the_orders_and_the_account() -> None:
    strategy = scripted({0: enter(take_profit_ticks=20)})
    run(strategy, bars_of(*still(3)), rule_book=PRESETS["combine-50k-dll"])
    view = strategy.views[1]

    assert [(Role.STOP_LOSS, 991), (Role.TAKE_PROFIT, 1021)] == [(one.role, one.price) for one in view.orders]
    assert Decimal("49999.39") == view.account.balance  # the fees of one side, 0.36 and 0.25
    assert Decimal("-1.11") == view.account.day_result  # and the tick between bid and ask
    assert Decimal("998.89") == view.account.loss_left
    assert (1, 5) == (view.account.entry_count_today, view.account.max_quantity)
