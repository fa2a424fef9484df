"""Our client reads messages in the forms that captures of the live venue show (venue.md section 7.6)."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from shared.domain.orders.order import Direction, OrderState, OrderType, Side
from shared.gateway import wire
from shared.gateway.hubs import messages

MNQ = "CON.F.US.MNQ.U26"
MOMENT = "2026-08-19T20:51:31.4347534+00:00"
READ_AS = datetime(2026, 8, 19, 20, 51, 31, 434753, tzinfo=UTC)


def arguments(*values: object) -> list[msgspec.Raw]:
    return [msgspec.Raw(json.dumps(value).encode()) for value in values]


def test_a_quote_that_names_its_contract_and_has_only_the_best_prices() -> None:
    found = arguments(
        MNQ,
        {"symbol": "F.US.MNQ", "bestBid": 29547, "bestAsk": 29547.5, "lastUpdated": MOMENT, "timestamp": MOMENT,
         "contract": MNQ},
    )  # fmt: skip
    change = messages.parse_quote(found)

    assert MNQ == messages.contract_of(found)
    assert (Decimal(29547), Decimal("29547.5"), None) == (change.best_bid, change.best_ask, change.last_price)
    assert change.changed_market_at is not None
    assert abs(change.changed_market_at - READ_AS).total_seconds() < 0.000002  # seven digits: rounded or cut


def test_trades_that_carry_their_contract() -> None:
    trade = {"symbolId": "F.US.MES", "price": 7730.5, "timestamp": MOMENT, "type": 1, "volume": 1, "contractId": MNQ}

    assert [(Decimal("7730.5"), 1, False)] == [
        (one.price, one.quantity, one.is_buy) for one in messages.parse_trades(arguments(MNQ, [trade, None]))
    ]


@pytest.mark.parametrize("average_price", [29398.5, 0])
def test_a_closed_position_is_flat_whatever_average_price_it_still_names(average_price: float) -> None:
    closed = {"id": 825245547, "accountId": 26282486, "contractId": MNQ, "contractDisplayName": "MNQU26",
              "creationTimestamp": MOMENT, "type": 0, "size": 0, "averagePrice": average_price}  # fmt: skip
    [entity] = messages.parse_entities(arguments({"action": 2, "data": closed}))
    position = wire.parse_position(entity)

    assert (0, Direction.FLAT) == (position.quantity, position.direction)


def order(**changes: Any) -> dict[str, Any]:
    return {
        "id": 3425270858, "accountId": 26282486, "contractId": MNQ, "symbolId": "F.US.MNQ",
        "creationTimestamp": MOMENT, "updateTimestamp": MOMENT, "status": 2, "type": 2, "side": 1, "size": 1,
        "fillVolume": 1, "filledPrice": 28564.5, "customTag": "glt-1",
    } | changes  # fmt: skip


def test_an_order_whose_fill_left_its_update_time_at_the_acceptance() -> None:
    [entity] = messages.parse_entities(arguments({"action": 1, "data": order()}))
    found = wire.parse_order(entity)

    assert (OrderState.FILLED, OrderType.MARKET, Side.SELL) == (found.state, found.type, found.side)
    assert found.created_market_at == found.updated_market_at
    assert (1, Decimal("28564.5")) == (found.filled_quantity, found.average_fill_price)
