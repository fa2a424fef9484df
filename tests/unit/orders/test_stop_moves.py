"""Which stops move to a price, long and short, and whether they would rest there."""

from decimal import Decimal

import pytest

from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import Side
from shared.domain.orders.stop_moves import (
    StopLevel,
    StoppedPosition,
    keep_off_market,
    plan_breakeven,
    plan_stop_move,
    require_to_rest,
)
from shared.errors import RefusedError
from shared.ids import new_id
from tests.fixtures.account_risks import contract

MNQ: Contract = contract("MNQ")


def position(quantity: int, *stops: int, average: str = "100", price: str | None = "100") -> StoppedPosition:
    levels = tuple(StopLevel(new_id(), Decimal(stop)) for stop in stops)
    return StoppedPosition(MNQ, quantity, Decimal(average), None if price is None else Decimal(price), levels)


@pytest.mark.parametrize(
    ("quantity", "stops", "moved", "better"),
    [
        (2, (90, 95), [90, 95], []),
        (2, (90, 100), [90], []),
        (2, (90, 105), [90], [105]),
        (-2, (110, 95), [110], [95]),
        (-1, (100,), [], []),
    ],
)
def test_breakeven_moves_only_the_stops_that_would_lose(
    quantity: int, stops: tuple[int, ...], moved: list[int], better: list[int]
) -> None:
    move = plan_breakeven(position(quantity, *stops, average="100.1"))

    assert Decimal(100) == move.price
    assert [*map(Decimal, moved)] == [stop.price for stop in move.moved]
    assert [*map(Decimal, better)] == [stop.price for stop in move.better]


@pytest.mark.parametrize(
    ("quantity", "price", "ticks", "expected"),
    [
        (1, "95.13", None, "95.25"),
        (-1, "105.10", None, "105.00"),
        (1, None, 20, "95"),
        (-1, None, 20, "105"),
    ],
)
def test_a_stop_goes_to_a_price_to_the_tick_or_to_the_side_of_the_loss(
    quantity: int, price: str | None, ticks: int | None, expected: str
) -> None:
    move = plan_stop_move(position(quantity, 50), price=None if price is None else Decimal(price), ticks=ticks)

    assert Decimal(expected) == move.price


@pytest.mark.parametrize(
    ("quantity", "stop", "price", "is_wider"),
    [
        (1, 90, "95", False),
        (1, 90, "85", True),
        (-1, 110, "105", False),
        (-1, 110, "115", True),
    ],
)
def test_a_stop_that_moves_away_from_the_market_is_wider(
    quantity: int,
    stop: int,
    price: str,
    is_wider: bool,  # noqa: FBT001
) -> None:
    held = position(quantity, stop)

    assert is_wider is plan_stop_move(held, price=Decimal(price), ticks=None).is_wider(held)


def test_a_distance_below_zero_is_refused() -> None:
    with pytest.raises(RefusedError, match="invalid stop -0"):
        plan_stop_move(position(1, 50), price=None, ticks=401)


@pytest.mark.parametrize(("quantity", "price"), [(1, "100"), (1, "100.25"), (-1, "100"), (-1, "99.75")])
def test_a_stop_that_the_market_has_reached_would_fill_at_once(quantity: int, price: str) -> None:
    with pytest.raises(RefusedError, match=f"a stop at {price} would fill at once|a stop at breakeven would fill"):
        require_to_rest(position(quantity, 50), Decimal(price))


@pytest.mark.parametrize(("quantity", "price"), [(1, "99.75"), (1, "99.25"), (-1, "100.25"), (-1, "100.75")])
def test_a_stop_of_one_to_three_ticks_is_refused_with_the_nearest_price(quantity: int, price: str) -> None:
    expected = "99.00, or a price below it" if quantity > 0 else "101.00, or a price above it"
    with pytest.raises(RefusedError, match=f"a stop at {price} is nearer than the 4 ticks .* expected {expected}"):
        require_to_rest(position(quantity, 50), Decimal(price))


@pytest.mark.parametrize(("quantity", "price"), [(1, "99"), (-1, "101")])
def test_a_stop_behind_the_market_rests(quantity: int, price: str) -> None:
    require_to_rest(position(quantity, 50), Decimal(price))


def test_without_a_quote_no_stop_is_sure_to_rest() -> None:
    with pytest.raises(RefusedError, match="no fresh quote"):
        require_to_rest(position(1, 50, price=None), Decimal(90))


@pytest.mark.parametrize(
    ("price", "expected"), [(90, 90), (99, 99), ("99.25", 99), ("99.75", 99), (100, 100), (105, 105)]
)
def test_a_new_stop_keeps_the_least_distance_from_a_market_that_is_not_through_it(
    price: int | str, expected: int
) -> None:
    wanted, now = Decimal(price), Decimal(100)

    assert expected == keep_off_market(wanted, now, Side.BUY, MNQ)
    assert 200 - expected == keep_off_market(200 - wanted, now, Side.SELL, MNQ)
    assert wanted == keep_off_market(wanted, None, Side.BUY, MNQ)
