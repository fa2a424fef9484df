"""Which orders that were placed elsewhere protect a position, and which could open one."""

from decimal import Decimal

import pytest

from shared.domain.orders.order import Side
from shared.domain.orders.protection import ExternalOrder, mark_protection

SELL, BUY = Side.SELL, Side.BUY


def stop(side: Side, quantity: int = 1, price: int = 90) -> ExternalOrder:
    return ExternalOrder(is_stop=True, side=side, quantity=quantity, price=Decimal(price))


def limit(side: Side, quantity: int = 1, price: int = 110) -> ExternalOrder:
    return ExternalOrder(is_stop=False, side=side, quantity=quantity, price=Decimal(price))


@pytest.mark.parametrize("position", [1, -1])
def test_a_stop_and_a_target_on_the_closing_side_protect(position: int) -> None:
    closing = SELL if position > 0 else BUY

    assert [True, True] == mark_protection(position, [stop(closing), limit(closing)])
    assert [False, False] == mark_protection(position, [stop(closing.opposite), limit(closing.opposite)])


def test_while_flat_every_order_could_open_a_position() -> None:
    assert [False] * 4 == mark_protection(0, [stop(SELL), limit(SELL), stop(BUY), limit(BUY)])


def test_an_order_larger_than_the_position_is_an_entry() -> None:
    assert [True, False] == mark_protection(2, [stop(SELL, 2), limit(SELL, 3)])


@pytest.mark.parametrize(
    ("position", "orders", "protects"),
    [
        (2, [stop(SELL, price=80), stop(SELL, price=85), stop(SELL, price=90)], [False, True, True]),
        (1, [limit(SELL, price=120), limit(SELL, price=110)], [False, True]),
        (-2, [stop(BUY, price=110), stop(BUY, price=105), stop(BUY, price=100)], [False, True, True]),
        (-1, [limit(BUY, price=80), limit(BUY, price=90)], [False, True]),
    ],
)
def test_of_several_orders_the_nearest_protect_as_many_contracts_as_are_held(
    position: int, orders: list[ExternalOrder], protects: list[bool]
) -> None:
    assert protects == mark_protection(position, orders)
