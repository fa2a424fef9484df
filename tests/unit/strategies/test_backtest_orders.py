"""What a backtest does with each decision, and where its orders fill."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.bar_columns import seconds_of
from shared.domain.orders.matching import find_fill, moves_of
from shared.domain.orders.order import OrderType, Side
from shared.domain.strategies.decision import Cancel, EnterEither, Exit, MoveStop, Target
from tests.fixtures.backtests import random_trader, told
from tests.fixtures.bar_walk import walk
from tests.fixtures.scripted_backtests import (
    MNQ,
    Script,
    at,
    bars_of,
    enter,
    prices,
    run,
    scripted,
    still,
)


def test_a_market_entry_fills_at_the_quote_of_the_next_minute_and_brings_its_bracket() -> None:
    found = run(scripted({0: enter(take_profit_ticks=20)}), bars_of(*still(2), (1005, 1030, 1005, 1030), *still(1)))

    assert [(Side.BUY, 1, 1001), (Side.SELL, 1, 1021)] == prices(found)
    assert at(1) + timedelta(milliseconds=10) == found.fills[0].filled_market_at


def test_a_size_by_risk_is_what_the_stop_may_lose_and_never_more() -> None:
    entries = {0: enter(risk=Decimal("19.99")), 5: enter(risk=Decimal("4.99"))}
    found = run(scripted(entries), bars_of(*still(3), (1000, 1000, 900, 900), *still(5, 900)))

    assert (Side.BUY, 3, 1001) == prices(found)[0]  # 10 ticks of 0.50: 5 dollars each
    assert {"risk": 1} == found.rejections


def test_without_a_size_an_entry_has_that_of_the_instance() -> None:
    assert 4 == run(scripted({0: enter()}), bars_of(*still(3)), quantity=4).fills[0].quantity


def test_of_two_entries_the_first_that_fills_cancels_the_other() -> None:
    either = EnterEither(
        first=enter(type=OrderType.STOP, price=1010, stop_loss_ticks=500),
        second=enter(Side.SELL, type=OrderType.STOP, price=990, stop_loss_ticks=500),
    )
    rising = run(scripted({0: either}), bars_of(*still(1), (1000, 1020, 980, 1010), *still(1)))
    falling = run(scripted({0: either}), bars_of(*still(1), (1000, 1020, 980, 990), *still(1)))

    assert [(Side.SELL, 1, 990)] == prices(rising)  # a bar that rises goes to its low first
    assert [(Side.BUY, 1, 1010)] == prices(falling)
    assert (1, 1) == (rising.undecided_count, falling.undecided_count)


def test_an_exit_closes_all_or_a_part_and_its_stop_shrinks_with_it() -> None:
    script: Script = {0: enter(quantity=3), 1: Exit(quantity=1, reason="part")}
    part = run(scripted(script), bars_of(*still(4), (1000, 1000, 900, 900)))
    whole = run(scripted({0: enter(quantity=3), 1: Exit(reason="all")}), bars_of(*still(4), (1000, 1000, 900, 900)))

    assert [(Side.BUY, 3, 1001), (Side.SELL, 1, 1000), (Side.SELL, 2, 991)] == prices(part)
    assert [(Side.BUY, 3, 1001), (Side.SELL, 3, 1000)] == prices(whole)


def test_a_stop_moves_towards_the_price_and_never_away() -> None:
    script: Script = {
        0: enter(), 1: MoveStop(price=980, reason="wider"), 2: MoveStop(price=1000, reason="too near"),
        3: MoveStop(price=995, reason="nearer"),
    }  # fmt: skip
    found = run(scripted(script), bars_of(*still(6), (1000, 1000, 900, 900)))

    assert (Side.SELL, 1, 995) == prices(found)[-1]
    assert {"wider_stop": 1, "price_reached": 1} == found.rejections


def test_a_target_adds_reduces_reverses_and_closes() -> None:
    script: Script = {
        number: Target(position=position, stop_loss_ticks=10, reason="test")
        for number, position in enumerate([2, 3, 1, -1, -1, 0])
    }
    found = run(scripted(script), bars_of(*still(8)))

    assert [
        (Side.BUY, 2, 1001), (Side.BUY, 1, 1001), (Side.SELL, 2, 1000), (Side.SELL, 1, 1000), (Side.SELL, 1, 1000),
        (Side.BUY, 1, 1001),
    ] == prices(found)  # fmt: skip
    assert 0 == found.held


def test_a_cancel_leaves_the_stop_of_what_is_held() -> None:
    script: Script = {0: enter(), 1: enter(type=OrderType.LIMIT, price=995), 2: Cancel(reason="test")}
    found = run(scripted(script), bars_of(*still(4), (1000, 1000, 900, 900)))

    assert [(Side.BUY, 1, 1001), (Side.SELL, 1, 991)] == prices(found)


def test_what_the_venue_would_reject_is_counted_by_its_rule() -> None:
    script: Script = {
        0: enter(stop_loss_ticks=3), 1: enter(take_profit_ticks=3), 2: enter(type=OrderType.STOP, price=1000),
        3: Exit(reason="nothing"), 4: MoveStop(price=900, reason="nothing"),
    }  # fmt: skip
    found = run(scripted(script), bars_of(*still(7)))

    assert {"stop_loss": 1, "take_profit": 1, "price_reached": 1, "nothing_held": 1, "no_stop": 1} == found.rejections
    assert [] == found.fills


def test_slippage_makes_market_orders_and_stops_worse_and_no_limit_order() -> None:
    bars = bars_of(*still(2), (1000, 1100, 1000, 1100), (1100, 1100, 900, 900))
    script = {0: enter(take_profit_ticks=20), 2: enter(stop_loss_ticks=50)}
    found = run(scripted(script), bars, slippage_ticks=2)

    assert [(Side.BUY, 1, 1003), (Side.SELL, 1, 1023), (Side.BUY, 1, 1102), (Side.SELL, 1, 1050)] == prices(found)


def test_a_market_order_of_a_minute_without_a_trade_fills_at_the_last_quote() -> None:
    bars = bars_of(*still(2), *still(2, 2000))
    found = run(scripted({1: enter()}), bars[np.array([True, True, False, True])])

    assert [(Side.BUY, 1, 1001)] == prices(found)


def test_the_path_decides_between_stop_and_target_and_the_worst_case_takes_the_stop() -> None:
    script = {0: enter(take_profit_ticks=20)}
    falling = bars_of(*still(2), (1001, 1030, 980, 990), *still(1))
    rising = bars_of(*still(2), (1001, 1030, 980, 1010), *still(1))

    assert (Side.SELL, 1, 1021) == prices(run(scripted(script), falling))[-1]  # to its high first: kinder
    assert (Side.SELL, 1, 991) == prices(run(scripted(script), falling, intrabar="worst"))[-1]
    assert (Side.SELL, 1, 991) == prices(run(scripted(script), rising))[-1]
    assert 1 == run(scripted(script), falling).undecided_count


@given(seed=st.integers(0, 1000))
def test_the_first_bar_that_is_played_the_worst_way_leaves_no_more_than_the_path(seed: int) -> None:
    bars, strategy = walk(1)[:200], told(random_trader(seed))
    path, worst = run(strategy, bars), run(strategy, bars, intrabar="worst")
    differs = next((n for n, (a, b) in enumerate(zip(path.fills, worst.fills, strict=False)) if a != b), None)
    if differs is None:
        return
    minute = path.fills[differs].filled_market_at.replace(second=0, microsecond=0) + MINUTE
    minute = max(minute, worst.fills[differs].filled_market_at.replace(second=0, microsecond=0) + MINUTE)
    until = int(np.searchsorted(bars.seconds, seconds_of(minute)))
    ends = [run(strategy, bars[:until], intrabar=way) for way in ("path", "worst")]

    assert ends[1].balance + ends[1].open_result <= ends[0].balance + ends[0].open_result


@given(
    prices=st.tuples(*[st.integers(970, 1030)] * 4), side=st.sampled_from(list(Side)),
    kind=st.sampled_from([OrderType.LIMIT, OrderType.STOP]), away=st.integers(1, 30),
)  # fmt: skip
def test_an_order_fills_where_the_rules_of_matching_say(
    prices: tuple[int, int, int, int], side: Side, kind: OrderType, away: int
) -> None:
    open_, close = prices[0], prices[3]
    bar = (open_, max(prices), min(prices), close)
    price = 1000 + side.sign * (away if kind is OrderType.STOP else -away)
    order = enter(side, type=kind, price=price, stop_loss_ticks=900)
    found = run(scripted({0: order}), bars_of(*still(1), bar))
    hits = [find_fill(kind, side, price, move) for move in moves_of(Bar(at(1), *bar, 10))]
    expected = next(((hit.at, hit.price * MNQ.tick_size) for hit in hits if hit), None)

    assert expected == next(((one.filled_market_at, one.price) for one in found.fills), None)


def test_an_entry_whose_stop_is_in_reach_the_other_way_is_undecided() -> None:
    script: Script = {0: enter(type=OrderType.STOP, price=1010, stop_loss_ticks=20)}
    bars = bars_of(*still(1), (1000, 1020, 985, 1015), *still(1, 1015))
    path, worst = run(scripted(script), bars), run(scripted(script), bars, intrabar="worst")

    assert ([(Side.BUY, 1, 1010)], 1) == (prices(path), path.undecided_count)
    assert ([(Side.BUY, 1, 1010), (Side.SELL, 1, 990)], 1) == (prices(worst), worst.undecided_count)


def test_a_stop_alone_in_reach_is_decided() -> None:
    found = run(scripted({0: enter(take_profit_ticks=50)}), bars_of(*still(2), (1000, 1010, 980, 1005), *still(1)))

    assert ([(Side.BUY, 1, 1001), (Side.SELL, 1, 991)], 0) == (prices(found), found.undecided_count)
