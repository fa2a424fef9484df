"""Prices in the lines about orders."""

from decimal import Decimal

import pytest

from cli.client.order_text import format_price


@pytest.mark.parametrize(
    ("price", "shown"),
    [("26000", "26000.00"), ("26676.5", "26676.50"), ("26676.5000000000", "26676.50"), ("1.08435", "1.08435"),
     ("2E+4", "20000.00")],
)  # fmt: skip
def test_a_price_has_its_places_and_two_at_least(price: str, shown: str) -> None:
    assert shown == format_price(Decimal(price))
