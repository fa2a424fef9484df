"""The decisions of trend following: with the trend, behind the price, and out when the averages cross."""

from fractions import Fraction

import pytest

from shared.domain.orders.order import OrderType, Role, Side
from shared.domain.strategies.decision import Decision, Enter, Exit, MoveStop
from shared.domain.strategies.strategy_error import StrategyError
from shared.domain.strategies.view import OrderFacts, PositionFacts
from strategies.trend_following import TrendFollowing
from tests.fixtures.strategy_views import Shown, bars_closing_at

FLAT, RISING = [20_000] * 300, [20_000] * 260 + [20_000 + 10 * n for n in range(1, 41)]
NOTHING, LONG = PositionFacts(), PositionFacts(2, Fraction(20_300))


def decide(closes: list[int], position: PositionFacts = NOTHING, stop: int | None = None) -> Decision | None:
    orders = [] if stop is None else [OrderFacts(Role.STOP_LOSS, Side.SELL, OrderType.STOP, stop, 2)]
    return TrendFollowing().decide(Shown({"15m": bars_closing_at(closes)}, position, orders).view("15m"))


def test_it_enters_with_the_trend() -> None:
    decision = decide(RISING)

    assert isinstance(decision, Enter)
    # true ranges are 11 (10 up, and 1 above the close): 2 and 5 of them.
    assert (Side.BUY, 22, 55) == (decision.side, decision.stop_loss_ticks, decision.take_profit_ticks)
    falling = decide([40_000 - close for close in RISING])
    assert isinstance(falling, Enter)
    assert Side.SELL is falling.side


def test_it_stays_out_while_the_averages_are_together_or_the_price_turns() -> None:
    assert decide(FLAT) is None
    assert decide([*RISING[:-1], 20_200]) is None


def test_the_stop_follows_and_never_moves_back() -> None:
    moved = decide(RISING, LONG, stop=20_300)
    assert MoveStop(price=20_400 - 33, reason="3 ATR behind 5100.00") == moved
    assert decide(RISING, LONG, stop=20_400 - 33) is None
    assert decide(RISING, LONG, stop=20_390) is None
    assert decide(RISING, LONG) is None, "without a stop there is none to move"


def test_it_leaves_when_the_averages_have_crossed() -> None:
    decision = decide(RISING, PositionFacts(-1, Fraction(20_000)), stop=20_500)

    assert isinstance(decision, Exit)
    assert decision.quantity is None


def test_a_fast_average_that_is_the_slower_one_is_refused() -> None:
    with pytest.raises(StrategyError, match="invalid fast_length 30: expected less than slow_length, which is 30"):
        TrendFollowing(fast_length=30)
