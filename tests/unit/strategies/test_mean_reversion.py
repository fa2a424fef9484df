"""The decisions of mean reversion: computed by hand, and properties for any bars."""

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


def test_a_price_far_below_its_average_is_bought_with_stop_and_target() -> None:
    decision = decide(bars_closing_at(FALL), Direction.FLAT)

    assert decision is not None
    assert Side.BUY is decision.side
    # 14 true ranges: eight of 2, then 2, 2, 2, 2, 3, 35 (from 994 down to 959).
    assert average_true_range(bars_closing_at(FALL), 14) == pytest.approx((12 * 2 + 3 + 35) / 14)
    assert 7 == decision.stop_loss_ticks  # 1.5 * 62/14 = 6.64, never nearer than that
    assert 37 == decision.take_profit_ticks  # the average, 997.2
    assert 0.5 <= decision.confidence <= 1


def test_a_price_far_above_its_average_is_sold() -> None:
    decision = decide(bars_closing_at(RISE), Direction.FLAT)

    assert decision is not None
    assert Side.SELL is decision.side


@pytest.mark.parametrize("position", [Direction.LONG, Direction.SHORT])
def test_no_entry_is_decided_while_a_position_is_open(position: Direction) -> None:
    assert decide(bars_closing_at(FALL), position) is None


def test_too_few_bars_give_no_decision() -> None:
    assert decide(bars_closing_at(FALL)[1:], Direction.FLAT) is None


def test_a_market_without_movement_gives_no_decision() -> None:
    assert decide(bars_closing_at([1000] * BARS_NEEDED, reach=0), Direction.FLAT) is None


def test_indicators_agree_with_values_computed_by_hand() -> None:
    assert simple_average([1, 2, 3, 4], 2) == pytest.approx(3.5)
    assert relative_strength([10, 11, 10, 12], 3) == pytest.approx(75)
    assert relative_strength([10, 10], 1) == pytest.approx(50)
    with pytest.raises(ValueError, match="invalid series of 2 values: expected at least 4"):
        relative_strength([1, 2], 3)


@given(st.lists(st.integers(1, 5000), min_size=BARS_NEEDED, max_size=60))
def test_every_decision_has_a_stop_and_a_confidence_within_bounds(closes: list[int]) -> None:
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
