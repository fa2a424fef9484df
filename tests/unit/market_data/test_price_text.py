"""Prices as text have the decimals of their contract, whatever stands beside them."""

from decimal import Decimal

import pytest

from shared.domain.market_data.price_text import format_price_of


@pytest.mark.parametrize(
    ("root", "price", "shown"),
    [("MNQ", "26000", "26000.00"), ("MNQ", "26676.5", "26676.50"), ("MNQ", "26676.5000000000", "26676.50"),
     ("MNQ", "2E+4", "20000.00"), ("GMET", "2500.5", "2500.5"), ("GMET", "2500", "2500.0"), ("MYM", "44000", "44000"),
     ("M6E", "1.1", "1.1000"), ("JY6", "0.0065405", "0.0065405"), ("TYA", "110.5", "110.500000"), ("MNQ", "0", "0.00")],
)  # fmt: skip
def test_a_price_has_the_decimals_of_its_tick(root: str, price: str, shown: str) -> None:
    assert shown == format_price_of(f"CON.F.US.{root}.Z26", Decimal(price))


@pytest.mark.parametrize(
    ("root", "price", "shown"),
    [("MNQ", "26676.833333333", "26676.8333"), ("MNQ", "26676.375", "26676.3750"), ("MNQ", "26676.8", "26676.8000"),
     ("MYM", "44000.666666667", "44000.67"), ("M6E", "1.084333333", "1.084333")],
)  # fmt: skip
def test_an_average_between_two_ticks_has_two_decimals_more(root: str, price: str, shown: str) -> None:
    assert shown == format_price_of(f"CON.F.US.{root}.Z26", Decimal(price))


@pytest.mark.parametrize(("price", "shown"), [("26000", "26000.00"), ("1.08435", "1.08435")])
def test_a_price_of_an_unknown_contract_has_its_own_decimals(price: str, shown: str) -> None:
    assert shown == format_price_of("CON.F.US.NONE.Z26", Decimal(price))
