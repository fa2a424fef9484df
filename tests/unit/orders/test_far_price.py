"""Which prices of orders a person is asked about."""

from decimal import Decimal

import pytest

from shared.domain.orders.far_price import describe_far_price
from shared.domain.orders.order import OrderType, Side

MARKET = Decimal("21500.25")
LIMIT, STOP, TRAILING_STOP = OrderType.LIMIT, OrderType.STOP, OrderType.TRAILING_STOP


@pytest.mark.parametrize(
    ("side", "type_", "price", "words"),
    [
        (Side.BUY, LIMIT, "24900.25", "is 3,400.00 points (15.8%) above the market at 21,500.25: it fills at once"),
        (Side.SELL, LIMIT, "21400.25", "below the market at 21,500.25: it fills at once, as a market order does"),
        (Side.BUY, LIMIT, "21000.25", "500.00 points (2.3%) below the market at 21,500.25: it fills only once"),
        (Side.SELL, LIMIT, "22000.25", "it fills only once the market has moved that far"),
        (Side.BUY, STOP, "21400.25", "it triggers at once, or the venue rejects it"),
        (Side.SELL, TRAILING_STOP, "21600.25", "it triggers at once, or the venue rejects it"),
        (Side.SELL, STOP, "2150.25", "it fills only once the market has moved that far"),
    ],
)
def test_a_price_far_from_the_market_is_told_with_what_it_leads_to(
    side: Side, type_: OrderType, price: str, words: str
) -> None:
    told = describe_far_price("CON.F.US.MNQ.Z26", side, type_, price=Decimal(price), market=MARKET)

    assert told is not None
    assert told.startswith(f"{side} {type_} at {Decimal(price):,f} is ")
    assert words in told


@pytest.mark.parametrize(
    ("side", "type_", "price"),
    [
        (Side.BUY, LIMIT, "21500.25"),
        (Side.BUY, LIMIT, "21502.25"),  # crosses the spread
        (Side.BUY, LIMIT, "21400.25"),
        (Side.SELL, LIMIT, "21600.25"),
        (Side.BUY, STOP, "21600.25"),
        (Side.SELL, TRAILING_STOP, "21400.25"),
    ],
)
def test_a_price_near_the_market_is_not_asked_about(side: Side, type_: OrderType, price: str) -> None:
    assert describe_far_price("CON.F.US.MNQ.Z26", side, type_, price=Decimal(price), market=MARKET) is None
