"""The decisions of mean reversion: computed by hand, and properties for any bars."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.orders.order import Side
from shared.domain.strategies.decision import Enter
from shared.domain.strategies.strategy_error import StrategyError, TooFewBarsError
from shared.domain.strategies.view import PositionFacts
from strategies.mean_reversion import MeanReversion, relative_strength
from tests.fixtures.strategy_views import Shown, bars_closing_at

FALL = [1000] * 14 + [999, 998, 997, 996, 994, 960]
RISE = [2000 - close for close in FALL]
BARS_NEEDED = 20


def decide(closes: list[int], reach: int = 1, *, quantity: int = 0) -> Enter | None:
    shown = Shown({"5m": bars_closing_at(closes, reach)}, position=PositionFacts(quantity))
    decision = MeanReversion().decide(shown.view())
    assert decision is None or isinstance(decision, Enter)
    return decision


def test_a_price_far_below_its_average_is_bought_with_stop_and_target() -> None:
    decision = decide(FALL)

    assert decision is not None
    assert Side.BUY is decision.side
    # 14 true ranges: eight of 2, then 2, 2, 2, 2, 3, 35 (from 994 down to 959): 62 / 14 = 4.43.
    assert 7 == decision.stop_loss_ticks  # 1.5 * 4.43 = 6.64, never nearer than that
    assert 37 == decision.take_profit_ticks  # the average, 997.2
    assert "RSI 0.0, close 8.4 ATR from its average" == decision.reason


def test_a_price_far_above_its_average_is_sold() -> None:
    decision = decide(RISE)

    assert decision is not None
    assert Side.SELL is decision.side


def test_the_target_may_be_a_distance_in_ranges() -> None:
    strategy = MeanReversion(target="ranges", target_in_ranges=3)
    decision = strategy.decide(Shown({"5m": bars_closing_at(FALL)}).view())

    assert isinstance(decision, Enter)
    assert 13 == decision.take_profit_ticks  # 3 * 4.43 = 13.3


@pytest.mark.parametrize("quantity", [1, -1])
def test_no_entry_is_decided_while_a_position_is_open(quantity: int) -> None:
    assert decide(FALL, quantity=quantity) is None


def test_too_few_bars_are_named() -> None:
    with pytest.raises(TooFewBarsError, match="it has 19 of the 20 bars of 5m that it needs"):
        decide(FALL[1:])


def test_a_market_without_movement_gives_no_decision() -> None:
    assert decide([1000] * BARS_NEEDED, reach=0) is None


def test_the_strength_agrees_with_values_computed_by_hand() -> None:
    assert relative_strength(np.array([10, 11, 10, 12]), 3) == pytest.approx(75)
    assert relative_strength(np.array([10, 10]), 1) == pytest.approx(50)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rsi_length": "1"}, "invalid rsi_length '1': expected a whole number from 2 to 200"),
        ({"rsi_length": "many"}, "invalid rsi_length 'many': expected a whole number from 2 to 200"),
        ({"target": "moon"}, "invalid target 'moon': expected one of average, ranges"),
        ({"timeframe": "7x"}, "invalid timeframe: timeframe '7x' is none of 1m"),
        ({"length": "3"}, "unknown parameter 'length': expected one of timeframe, rsi_length"),
    ],
)
def test_an_invalid_parameter_is_named_with_what_it_takes(parameters: dict[str, str], message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        MeanReversion.read(parameters)


def test_parameters_are_read_from_text_and_checked_when_they_are_set() -> None:
    assert MeanReversion(rsi_length=7, oversold=25.5) == MeanReversion.read({"rsi_length": "7", "oversold": "25.5"})
    with pytest.raises(StrategyError, match="invalid rsi_length 1"):
        MeanReversion(rsi_length=1)


@given(st.lists(st.integers(1, 5000), min_size=BARS_NEEDED, max_size=60))
def test_every_decision_has_a_stop_and_a_target(closes: list[int]) -> None:
    decision = decide(closes)

    if decision is not None:
        assert decision.stop_loss_ticks >= 1
        assert (decision.take_profit_ticks or 0) >= 1


@given(st.lists(st.integers(1000, 5000), min_size=BARS_NEEDED, max_size=60))
def test_a_mirrored_market_gives_the_mirrored_decision(closes: list[int]) -> None:
    decision, mirrored = decide(closes), decide([6000 - close for close in closes])

    assert (decision.side.opposite if decision else None) == (mirrored.side if mirrored else None)
