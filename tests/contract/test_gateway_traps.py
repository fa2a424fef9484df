"""Traps of the venue's API: answers that are easy to misread, each known to have cost traders money."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.accounts.stage import Stage
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.coverage import Span
from shared.domain.orders.order import Direction, OrderType, Side
from shared.errors import AmbiguousOutcomeError, OrderRejectedError, RefusedError
from shared.gateway.client import GatewayClient
from shared.gateway.orders.order_request import OrderChange, OrderRequest
from shared.gateway.rest.reads import BarUnit
from tests.contract.conftest import OpenGateway, ScriptedVenue
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ, OPEN_AT, RunningVenue

PLACE, BARS, ORDERS = "/api/Order/place", "/api/History/retrieveBars", "/api/Order/search"
CONTRACT = Contract(MNQ, "MNQH6", "MNQ", Decimal("0.25"), Decimal("0.5"), is_active=True)
ORDER_REQUEST = OrderRequest(account_id=1, contract=CONTRACT, side=Side.BUY, quantity=1, tag="tw-1")
ORDER = {"id": 1, "accountId": 1, "contractId": MNQ, "creationTimestamp": "2026-03-10T15:00:00+00:00", "status": 1,
         "type": 1, "side": 0, "size": 2, "fillVolume": 0}  # fmt: skip


@pytest.fixture
def client(open_gateway: OpenGateway, scripted: ScriptedVenue) -> GatewayClient:
    """A client of the scripted venue."""
    return open_gateway(scripted.venue())


def test_trap_01_status_200_is_no_success_and_neither_is_an_order_id(
    client: GatewayClient, scripted: ScriptedVenue
) -> None:
    scripted.says(PLACE, orderId=501, success=False, errorCode=2, errorMessage="Invalid price.")
    with pytest.raises(OrderRejectedError, match="error 2: Invalid price"):
        client.place(ORDER_REQUEST)
    scripted.says("/api/Account/search", accounts=[], success=False, errorCode=1)
    with pytest.raises(RefusedError):
        client.accounts()


@pytest.mark.parametrize(
    "answer",
    [
        {"success": True, "errorCode": 2, "orderId": 501},
        {"success": False, "errorCode": 0, "orderId": 501},
        {"success": False, "errorCode": 99, "orderId": 501},
        {"success": False, "errorCode": None},
        {"success": "true", "errorCode": 0, "orderId": 501},
        {"success": True, "errorCode": 0, "orderId": None},
        {"success": True, "errorCode": 0},
        {},
    ],
)
def test_trap_01_a_contradictory_or_unknown_envelope_leaves_a_mutation_in_doubt(
    client: GatewayClient, scripted: ScriptedVenue, answer: dict[str, Any]
) -> None:
    scripted.script_raw(PLACE, json.dumps(answer))
    with pytest.raises(AmbiguousOutcomeError):
        client.place(ORDER_REQUEST)

    assert 1 == [path for path, _ in scripted.asked].count(PLACE)


@pytest.mark.parametrize("text", ["", "null", "[]", '{"success": true, "errorCode": 0, "orderId": NaN}', "<html>"])
def test_an_unreadable_answer_to_a_mutation_is_ambiguous(
    client: GatewayClient, scripted: ScriptedVenue, text: str
) -> None:
    scripted.script_raw(PLACE, text)
    with pytest.raises(AmbiguousOutcomeError):
        client.place(ORDER_REQUEST)


def test_trap_08_bars_arrive_newest_first_with_the_forming_one_and_are_returned_closed_and_oldest_first(
    client: GatewayClient, scripted: ScriptedVenue
) -> None:
    starts = [OPEN_AT, OPEN_AT - MINUTE, OPEN_AT - 3 * MINUTE, OPEN_AT - 2 * MINUTE]
    prices = {"o": 25000.25, "h": 25001, "l": 25000, "c": 25000.500000000, "v": 3}
    scripted.says(BARS, bars=[{"t": f"{start:%Y-%m-%dT%H:%M:%S}", **prices} for start in starts])
    bars = client.bars(CONTRACT, Span(OPEN_AT - 3 * MINUTE, OPEN_AT + timedelta(seconds=30))).bars

    assert [OPEN_AT - 3 * MINUTE, OPEN_AT - 2 * MINUTE, OPEN_AT - MINUTE] == [bar.start for bar in bars]
    assert (100_001, 100_004, 100_000, 100_002) == (bars[0].open, bars[0].high, bars[0].low, bars[0].close)
    (_, body) = scripted.asked[-1]
    assert (False, 20_000, False) == (body["live"], body["limit"], body["includePartialBar"])


@pytest.mark.parametrize(
    ("unit", "count", "length"),
    [(BarUnit.MINUTE, 1, MINUTE), (BarUnit.MINUTE, 5, 5 * MINUTE), (BarUnit.HOUR, 1, 60 * MINUTE)],
)
def test_bars_of_any_length_come_complete_from_the_venue(
    gateway: GatewayClient, unit: BarUnit, count: int, length: timedelta
) -> None:
    wanted = Span(OPEN_AT - 2 * length, OPEN_AT)

    assert [OPEN_AT - 2 * length, OPEN_AT - length] == [
        bar.start for bar in gateway.bars(CONTRACT, wanted, unit, count).bars
    ]


def test_trap_09_a_trailing_stop_is_requested_as_a_level_and_reported_as_a_distance(
    client: GatewayClient, scripted: ScriptedVenue
) -> None:
    scripted.says(PLACE, orderId=501)
    trailing = OrderRequest(
        account_id=1, contract=CONTRACT, side=Side.SELL, quantity=1, tag="tw-2", type=OrderType.TRAILING_STOP,
        trail_price=Decimal("24990.25"),
    )  # fmt: skip
    client.place(trailing)
    row = {**ORDER, "type": 5, "stopPrice": 24990.25, "trailPrice": 10.0, "trailDistance": 40}
    scripted.says(ORDERS, orders=[row])
    (found,) = client.orders_since(1, OPEN_AT)

    assert 24990.25 == scripted.asked[-2][1]["trailPrice"]
    assert (40, Decimal(10), Decimal("24990.25")) == (found.trail_ticks, found.trail_distance, found.stop_price)


def test_trap_13_the_profit_of_a_fill_is_gross_and_null_for_an_opening_fill(
    client: GatewayClient, scripted: ScriptedVenue
) -> None:
    fill = {"id": 1, "accountId": 1, "contractId": MNQ, "creationTimestamp": "2026-03-10T15:00:00Z", "side": 0,
            "size": 1, "orderId": 5, "voided": False, "price": 6064.25, "fees": 1.4}  # fmt: skip
    closing = {**fill, "id": 2, "side": 1, "price": 6065.25, "profitAndLoss": 50.0, "commissions": None}
    scripted.says("/api/Trade/search", trades=[closing, {**fill, "profitAndLoss": None}])
    closed, opened = client.fills_since(1, OPEN_AT)

    assert (None, Decimal("1.4"), Decimal(0)) == (opened.gross_pnl, opened.fees, opened.commissions)
    assert (Decimal(50), Decimal("1.4")) == (closed.gross_pnl, closed.fees)


def test_trap_14_a_funded_account_is_simulated_too_and_its_stage_follows_from_its_name(
    client: GatewayClient, scripted: ScriptedVenue
) -> None:
    account = {"balance": 0, "canTrade": True, "isVisible": True, "simulated": True}
    rows = [{"id": 1, "name": "EXPRESS-V2-1", **account}, {"id": 2, "name": "OTHER", **account}]
    scripted.says("/api/Account/search", accounts=rows)
    express, other = client.accounts()

    assert (True, Stage.EXPRESS) == (express.is_simulated, express.stage)
    assert Stage.UNKNOWN is other.stage


@pytest.mark.parametrize("side", [{}, {"side": None}, {"side": 2}, {"side": "1"}, {"side": False}])
def test_a_missing_or_unknown_side_is_not_a_buy(
    client: GatewayClient, scripted: ScriptedVenue, side: dict[str, Any]
) -> None:
    bare = {name: value for name, value in ORDER.items() if name != "side"}
    scripted.says(ORDERS, orders=[{**bare, **side}, {**ORDER, "id": 2}])

    assert [None, Side.BUY] == [order.side for order in client.orders_since(1, OPEN_AT)]


def test_unknown_codes_fail_no_read_and_an_empty_position_is_left_out(
    client: GatewayClient, scripted: ScriptedVenue
) -> None:
    position = {"id": 1, "accountId": 1, "contractId": MNQ, "creationTimestamp": "2026-03-10T15:00:00Z", "type": 2,
                "size": 1, "averagePrice": 25000.125000000}  # fmt: skip
    flat = {**position, "id": 2, "type": 0, "size": 0}
    scripted.says("/api/Position/searchOpen", positions=[{**position, "type": 9}, flat, position])
    odd, short = client.positions(1)

    assert (None, Direction.SHORT) == (odd.direction, short.direction)
    assert Decimal("25000.125") == short.average_price


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-10T15:00:00.123456+00:00",
        "2026-03-10T15:00:00.123456Z",
        "2026-03-10T15:00:00.1234567+00:00",
        "2026-03-10T15:00:00.1234567",
        "2026-03-10T10:00:00.123456-05:00",
    ],
)
def test_an_instant_is_utc_however_it_is_written(client: GatewayClient, scripted: ScriptedVenue, text: str) -> None:
    scripted.says(ORDERS, orders=[{**ORDER, "creationTimestamp": text, "updateTimestamp": None, "customTag": None}])
    (order,) = client.orders_since(1, OPEN_AT, OPEN_AT + MINUTE)

    assert datetime(2026, 3, 10, 15, 0, 0, 123456, tzinfo=UTC) == order.created_market_at
    assert (None, None) == (order.updated_market_at, order.tag)
    assert {"accountId", "startTimestamp", "endTimestamp"} == scripted.asked[-1][1].keys()


def test_an_order_is_placed_modified_and_found_and_a_position_closed_in_part(
    gateway: GatewayClient, venue: RunningVenue
) -> None:
    account = venue.account_id
    buy = OrderRequest(account_id=account, contract=CONTRACT, side=Side.BUY, quantity=2, tag="tw-entry")
    gateway.place(buy)
    until(lambda: bool(gateway.positions(account)), what="the fill")
    assert venue.post("/api/Position/partialCloseContract", accountId=account, contractId=MNQ, size=1)["success"]
    until(lambda: gateway.positions(account)[0].quantity == 1, what="one closed")
    price = gateway.positions(account)[0].average_price // 1 - 500
    limit = OrderRequest(
        account_id=account, contract=CONTRACT, side=Side.BUY, quantity=1, tag="tw-limit", type=OrderType.LIMIT,
        limit_price=price,
    )  # fmt: skip
    order_id = gateway.place(limit)
    gateway.modify(OrderChange(account_id=account, contract=CONTRACT, order_id=order_id, limit_price=price - 1))
    found = gateway.order(account, order_id)

    assert found is not None
    assert (OrderType.LIMIT, price - 1, "tw-limit") == (found.type, found.limit_price, found.tag)
    assert [order_id] == [row["id"] for row in venue.post("/api/Order/searchOpen", accountId=account)["orders"]]
    assert gateway.order(account, 999_999) is None


def test_ping_token_exchange_and_logout_work(gateway: GatewayClient) -> None:
    assert gateway.ping() > timedelta(0)
    first = gateway.token()
    gateway.validate()
    second = gateway.token()
    gateway.log_out()

    assert gateway.accounts()
    assert 3 == len({first, second, gateway.token()})
