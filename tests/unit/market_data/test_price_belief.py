"""Prices that can be true: on the tick grid, and confirmed by trades or by the other side."""

from datetime import timedelta
from decimal import Decimal

import pytest

from shared.domain.market_data.price_belief import TRADE_COUNTS_FOR, QuotedPrice

TICK = Decimal("0.25")
FRESH, OLD = timedelta(seconds=1), TRADE_COUNTS_FOR + timedelta(seconds=1)


def is_believed(price: str | None, other: str | None, traded: str | None, ago: timedelta | None = FRESH) -> bool:
    prices = [None if text is None else Decimal(text) for text in (price, other, traded)]
    return QuotedPrice(prices[0], prices[1], prices[2], None if traded is None else ago).is_believed(TICK)


@pytest.mark.parametrize("price", [None, "0", "-25000", "25000.10"])
def test_a_price_that_is_missing_not_above_zero_or_off_the_grid_is_not_believed(price: str | None) -> None:
    assert not is_believed(price, "25000.25", "25000")
    assert not is_believed(price, "25000.25", None)


@pytest.mark.parametrize(("price", "expected"), [("24900", True), ("24870", False), ("25120", True), ("21000", False)])
def test_beside_a_fresh_trade_only_a_price_near_it_is_believed(price: str, expected: bool) -> None:  # noqa: FBT001
    assert expected is is_believed(price, price, "25000")


def test_a_market_that_trades_lower_is_believed_at_once() -> None:
    assert is_believed("23000", "23000.25", "23000.25")


def test_without_a_fresh_trade_the_other_side_confirms() -> None:
    assert is_believed("25000", "25000.25", None)
    assert not is_believed("25000", "25500", None)
    assert not is_believed("25000", "0", None)
    assert not is_believed("25000", None, None)


def test_an_old_trade_still_tells_a_price_that_is_far_off() -> None:
    assert is_believed("24500", "24500.25", "25000", OLD)
    assert not is_believed("21000", "21000.25", "25000", OLD)


def test_a_false_trade_leaves_the_other_side_to_confirm() -> None:
    assert is_believed("25000", "25000.25", "0")


def test_the_spread_of_a_cheap_contract_is_believed() -> None:
    assert is_believed("10", "15", None)
    assert not is_believed("10", "20.25", None)
