"""The effect of fills on a position."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.orders.order import Direction, Side
from shared.domain.orders.position import Part, Position, apply_fill, to_dollars

FILLS = st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 9), st.integers(1, 100_000)), max_size=30)


def test_the_first_fill_opens_a_position() -> None:
    assert (Position(2, Fraction(100)), (Part(2, None),)) == apply_fill(Position(), Side.BUY, 2, 100)


def test_adding_contracts_moves_the_average() -> None:
    position, parts = apply_fill(Position(2, Fraction(100)), Side.BUY, 1, 103)

    assert Position(3, Fraction(101)) == position
    assert (Part(1, None),) == parts


def test_closing_a_part_keeps_the_average_and_realises_a_result() -> None:
    position, parts = apply_fill(Position(-3, Fraction(100)), Side.BUY, 2, 90)

    assert Position(-1, Fraction(100)) == position
    assert (Part(2, Fraction(20)),) == parts


def test_a_reversal_closes_then_opens() -> None:
    position, parts = apply_fill(Position(1, Fraction(100)), Side.SELL, 3, 110)

    assert Position(-2, Fraction(110)) == position
    assert (Part(1, Fraction(10)), Part(2, None)) == parts


def test_closing_all_contracts_leaves_a_flat_position() -> None:
    position, parts = apply_fill(Position(1, Fraction(100)), Side.SELL, 1, 95)

    assert Position() == position
    assert Direction.FLAT is position.direction
    assert (Part(1, Fraction(-5)),) == parts


def test_a_fill_of_zero_contracts_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        apply_fill(Position(), Side.BUY, 0, 100)


def test_a_result_in_dollars_is_its_ticks_times_the_tick_value() -> None:
    assert Decimal("50.00") == to_dollars(Fraction(4), Decimal("12.50"))
    assert Decimal("-0.33") == to_dollars(Fraction(-2, 3), Decimal("0.50"))


@given(FILLS)
def test_the_quantity_is_the_sum_of_the_fills(fills: list[tuple[Side, int, int]]) -> None:
    position = Position()
    for side, quantity, price in fills:
        position, parts = apply_fill(position, side, quantity, price)
        assert quantity == sum(part.quantity for part in parts)

    assert sum(side.sign * quantity for side, quantity, _ in fills) == position.quantity


@given(FILLS)
def test_realised_and_open_result_add_up_to_the_cash_flow(fills: list[tuple[Side, int, int]]) -> None:
    position, realised = Position(), Fraction(0)
    for side, quantity, price in fills:
        position, parts = apply_fill(position, side, quantity, price)
        realised += sum((part.realised for part in parts if part.realised is not None), Fraction(0))

    cash = sum(-side.sign * quantity * price for side, quantity, price in fills)
    assert cash == realised - position.average_price * position.quantity


@given(FILLS)
def test_a_flat_position_has_no_average_price(fills: list[tuple[Side, int, int]]) -> None:
    position = Position()
    for side, quantity, price in fills:
        position, _ = apply_fill(position, side, quantity, price)
        assert (position.direction is Direction.FLAT) == (position == Position())
