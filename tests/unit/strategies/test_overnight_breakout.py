"""The decisions of the overnight breakout: the rules of the first system, and each of its failures."""

from datetime import datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from shared.domain.market_data.bar_columns import BarColumns
from shared.domain.orders.order import OrderType, Role, Side
from shared.domain.strategies.decision import Cancel, Decision, Enter, EnterEither, Exit, MoveStop
from shared.domain.strategies.strategy_error import StrategyError, TooFewBarsError
from shared.domain.strategies.view import OrderFacts, PositionFacts
from strategies.overnight_breakout import OvernightBreakout
from tests.fixtures.strategy_views import Shown, bars_closing_at

NEW_YORK = ZoneInfo("America/New_York")
OPENING = datetime(2026, 11, 24, 9, 30, tzinfo=NEW_YORK)
EVENING = datetime(2026, 11, 23, 18, 0, tzinfo=NEW_YORK)
MINUTES = 15 * 60 + 30
NOTHING = PositionFacts()
STOP = OrderFacts(Role.STOP_LOSS, Side.SELL, OrderType.STOP, 20_000, 1)
ENTRY = OrderFacts(Role.ENTRY, Side.BUY, OrderType.STOP, 20_101, 1)


def night(last: int = 20_000, high: int = 20_100, low: int = 19_900) -> BarColumns:
    """Return the minutes of a night that was at `high` and `low` once, with closes of `last` else."""
    closes = [last] * MINUTES
    closes[100], closes[200] = high - 1, low + 1
    return bars_closing_at(closes, minutes=1, start=EVENING)


def bars(minutes: BarColumns, day_range: int = 800, five_range: int = 20) -> dict[str, BarColumns]:
    return {
        "1m": minutes,
        "5m": bars_closing_at([20_000] * 20, five_range // 2),
        "1d": bars_closing_at([20_000] * 15, day_range // 2, minutes=1_440),
    }


def decide(
    minutes: BarColumns,
    strategy: OvernightBreakout | None = None,
    *,
    now: datetime = OPENING,
    position: PositionFacts = NOTHING,
    orders: tuple[OrderFacts, ...] = (),
    day_range: int = 800,
) -> Decision | None:
    shown = Shown(bars(minutes, day_range), position, orders, now=now)
    return (strategy or OvernightBreakout()).decide(shown.view("1m"))


def test_at_the_opening_two_entries_wait_beyond_the_range_of_which_one_cancels_the_other() -> None:
    decision = decide(night())

    assert isinstance(decision, EnterEither)
    bought, sold = decision.first, decision.second
    assert (Side.BUY, OrderType.STOP, 20_101) == (bought.side, bought.type, bought.price)
    assert (Side.SELL, OrderType.STOP, 19_899) == (sold.side, sold.type, sold.price)
    assert {25} == {bought.stop_loss_ticks, sold.stop_loss_ticks}  # 1.25 ATR of 20
    # The zones begin at 0.5 of 400 from 20,000: 20,200 and 19,800.
    assert (99, 99) == (bought.take_profit_ticks, sold.take_profit_ticks)


def test_a_zone_that_begins_inside_the_range_ends_the_trade_at_its_far_edge_and_one_inside_it_at_some_atr() -> None:
    far = decide(night(), day_range=360)  # 0.5 * 180 = 90 is inside, 0.618 * 180 = 111 is beyond
    inside = decide(night(), day_range=200)

    assert isinstance(far, EnterEither)
    assert isinstance(inside, EnterEither)
    assert (10, 10) == (far.first.take_profit_ticks, far.second.take_profit_ticks)
    assert (40, 40) == (inside.first.take_profit_ticks, inside.second.take_profit_ticks)  # 2 ATR of 20


def test_a_side_whose_price_is_reached_already_is_left_out_and_the_other_stays() -> None:
    minutes = night()
    minutes.close[-1] = 20_150
    decision = decide(minutes)

    assert isinstance(decision, Enter)
    assert Side.SELL is decision.side


@pytest.mark.parametrize("later", [-1, 1, 300])
def test_it_enters_at_no_other_minute(later: int) -> None:
    assert decide(night(), now=OPENING + timedelta(minutes=later)) is None


def test_an_entry_that_waits_is_not_placed_again() -> None:
    assert decide(night(), orders=(ENTRY,)) is None


def test_without_enough_closed_days_it_does_not_trade() -> None:
    shown = Shown(bars(night()) | {"1d": bars_closing_at([20_000] * 14, minutes=1_440)}, now=OPENING)

    with pytest.raises(TooFewBarsError, match="it has 14 of the 15 bars of 1d that it needs"):
        OvernightBreakout().decide(shown.view("1m"))


def test_a_night_of_a_few_bars_is_none() -> None:
    assert decide(night()[-9:]) is None
    assert isinstance(decide(night()[-10:]), EnterEither)


@pytest.mark.parametrize(
    "limits",
    [
        {"least_range_points": 51.0},
        {"most_range_points": 49.0},
        {"most_drift_points": 1.0},
        {"least_atr_points": 5.5},
        {"most_atr_points": 4.5},
    ],
)
def test_a_filter_that_is_not_met_keeps_it_out(limits: dict[str, float]) -> None:
    minutes = night()
    minutes.close[-1] = 20_005
    assert decide(minutes, OvernightBreakout.read(limits)) is None
    met = {name: value + (-1 if name.startswith("least") else 1) for name, value in limits.items()}
    assert decide(minutes, OvernightBreakout.read(met)) is not None


def test_after_enough_profit_the_stop_moves_to_the_entry_once() -> None:
    now = OPENING + timedelta(hours=1)
    held = PositionFacts(1, Fraction(20_101), best=20_161)  # 15 points are 60 ticks

    assert MoveStop(price=20_101, reason="15 points of profit") == decide(
        night(), now=now, position=held, orders=(STOP,)
    )
    nearly = PositionFacts(1, Fraction(20_101), best=20_160)
    assert decide(night(), now=now, position=nearly, orders=(STOP,)) is None
    moved = OrderFacts(Role.STOP_LOSS, Side.SELL, OrderType.STOP, 20_101, 1)
    assert decide(night(), now=now, position=held, orders=(moved,)) is None
    short = PositionFacts(-1, Fraction(19_899), best=19_839)
    above = OrderFacts(Role.STOP_LOSS, Side.BUY, OrderType.STOP, 19_924, 1)
    assert isinstance(decide(night(), now=now, position=short, orders=(above,)), MoveStop)
    assert decide(night(), OvernightBreakout(breakeven_points=0), now=now, position=held, orders=(STOP,)) is None


def test_at_the_end_of_the_day_it_is_flat() -> None:
    end = OPENING.replace(hour=15, minute=45)

    assert isinstance(decide(night(), now=end, position=PositionFacts(1, Fraction(20_101)), orders=(STOP,)), Exit)
    assert isinstance(decide(night(), now=end, orders=(ENTRY,)), Cancel)
    assert decide(night(), now=end) is None
    assert isinstance(decide(night(), now=EVENING, orders=(ENTRY,)), Cancel), "also what was left overnight"


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ({"opens_at": "9.30"}, "invalid opens_at '9.30': expected a time such as 09:30"),
        ({"flat_at": "09:00"}, "invalid flat_at 09:00: expected a time after opens_at 09:30"),
        ({"range_from": "evening"}, "invalid range_from 'evening': expected a time"),
    ],
)
def test_times_are_checked(times: dict[str, str], message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        OvernightBreakout.read(times)
