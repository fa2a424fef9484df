"""What mean reversion decides, by hand and for any bars."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.bar import Bar
from shared.domain.orders.order import Direction, Side
from shared.domain.strategies.indicators import average_true_range, relative_strength, simple_average
from strategies.mean_reversion import BARS_NEEDED, decide

START = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)


def bars_closing_at(closes: list[int], reach: int = 1) -> list[Bar]:
    return [
        Bar(START + n * timedelta(minutes=5), close, close + reach, close - reach, close, 10)
        for n, close in enumerate(closes)
    ]


FALL = [1000] * 14 + [999, 998, 997, 996, 994, 960]
RISE = [2000 - close for close in FALL]


def test_what_fell_too_far_is_bought_with_its_stop_and_target() -> None:
    decision = decide(bars_closing_at(FALL), Direction.FLAT)

    assert decision is not None
    assert Side.BUY is decision.side
    # 14 true ranges: eight of 2, then 2, 2, 2, 2, 3, 35 (from 994 down to 959).
    assert average_true_range(bars_closing_at(FALL), 14) == pytest.approx((12 * 2 + 3 + 35) / 14)
    assert 7 == decision.stop_loss_ticks  # 1.5 * 62/14 = 6.64, never nearer than that
    assert 37 == decision.take_profit_ticks  # the average, 997.2
    assert 0.5 <= decision.confidence <= 1


def test_what_rose_too_far_is_sold() -> None:
    decision = decide(bars_closing_at(RISE), Direction.FLAT)

    assert decision is not None
    assert Side.SELL is decision.side


@pytest.mark.parametrize("position", [Direction.LONG, Direction.SHORT])
def test_one_position_at_a_time(position: Direction) -> None:
    assert decide(bars_closing_at(FALL), position) is None


def test_too_few_bars_decide_nothing() -> None:
    assert decide(bars_closing_at(FALL)[1:], Direction.FLAT) is None


def test_a_market_that_does_not_move_decides_nothing() -> None:
    assert decide(bars_closing_at([1000] * BARS_NEEDED, reach=0), Direction.FLAT) is None


def test_indicators_by_hand() -> None:
    assert simple_average([1, 2, 3, 4], 2) == pytest.approx(3.5)
    assert relative_strength([10, 11, 10, 12], 3) == pytest.approx(75)
    assert relative_strength([10, 10], 1) == pytest.approx(50)
    with pytest.raises(ValueError, match="4 values are needed and 2 were given"):
        relative_strength([1, 2], 3)


@given(st.lists(st.integers(1, 5000), min_size=BARS_NEEDED, max_size=60))
def test_every_decision_has_a_stop_and_is_sure_of_itself_within_bounds(closes: list[int]) -> None:
    decision = decide(bars_closing_at(closes), Direction.FLAT)

    if decision is not None:
        assert decision.stop_loss_ticks >= 1
        assert decision.take_profit_ticks >= 1
        assert 0.5 <= decision.confidence <= 1


@given(st.lists(st.integers(1000, 5000), min_size=BARS_NEEDED, max_size=60))
def test_a_mirrored_market_gives_the_mirrored_decision(closes: list[int]) -> None:
    decision = decide(bars_closing_at(closes), Direction.FLAT)
    mirrored = decide(bars_closing_at([6000 - close for close in closes]), Direction.FLAT)

    assert (decision.side.opposite if decision else None) == (mirrored.side if mirrored else None)
