"""The simulator sends what public captures of the live venue show (venue.md section 7.6)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.fixtures.hubs import ConnectHub
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ, OPEN_AT, RunningVenue, starting_venues

PRICES = {"lastPrice", "bestBid", "bestAsk", "open", "high", "low"}
EVERY_DEPTH_TYPE = set(range(1, 12))


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    """A stepped market."""
    with starting_venues(tmp_path_factory.mktemp("captures")) as start:
        yield start(options=["--stepped"])


@pytest.fixture
def trader(venue: RunningVenue) -> RunningVenue:
    """A user whose account is flat."""
    venue.post("/api/Position/closeContract", accountId=venue.account_id, contractId=MNQ)
    venue.step(1)
    assert 0 == venue.position()
    return venue


def entries(client: Any, target: str) -> list[dict[str, Any]]:
    """Return the payloads of the contract's events, with the entries of an array one by one."""
    found = [event[1][1] for event in client.events() if event[0] == target]
    return [row for payload in found for row in (payload if isinstance(payload, list) else [payload]) if row]


def filled(venue: RunningVenue, **order: Any) -> int:
    order_id: int = venue.place(**order)["orderId"]
    venue.step(1)
    assert 2 == venue.order(order_id)["status"]
    return order_id


def test_every_quote_has_a_symbol_a_contract_and_a_price(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    client = connect_hub(venue, "market")
    client.invoke("SubscribeContractQuotes", MNQ)

    def quotes() -> list[dict[str, Any]]:
        venue.step(2)
        client.read(seconds=2)
        return entries(client, "GatewayQuote")

    until(lambda: len(quotes()) > 300, 120, "300 quotes")
    found = entries(client, "GatewayQuote")
    assert {("F.US.MNQ", MNQ)} == {(quote["symbol"], quote["contract"]) for quote in found}
    assert [] == [quote for quote in found if not PRICES & set(quote)]
    assert any("lastPrice" not in quote for quote in found)


def test_the_depth_has_entries_of_every_type_and_the_trades_of_the_tape(
    venue: RunningVenue, connect_hub: ConnectHub
) -> None:
    client = connect_hub(venue, "market")
    client.invoke("SubscribeContractMarketDepth", MNQ)
    client.invoke("SubscribeContractTrades", MNQ)

    def types() -> set[int]:
        venue.step(20)
        client.read(seconds=2)
        return {row["type"] for row in entries(client, "GatewayDepth")}

    until(lambda: types() == EVERY_DEPTH_TYPE, 120, "every type of depth entry")
    depth, tape = entries(client, "GatewayDepth"), entries(client, "GatewayTrade")
    assert {MNQ} == {row["contractId"] for row in depth} == {row["contractId"] for row in tape}
    prints = [(row["timestamp"], row["price"], row["volume"]) for row in depth if row["type"] == 5]
    assert [(row["timestamp"], row["price"], row["volume"]) for row in tape][: len(prints)] == prints


def test_a_closed_position_keeps_its_entry_average_in_its_last_event(
    trader: RunningVenue, connect_hub: ConnectHub
) -> None:
    client = connect_hub(trader)
    client.subscribe_user(trader.account_id)
    entry = trader.order(filled(trader))["filledPrice"]
    trader.step(30)
    filled(trader, side=1)
    until(lambda: bool(client.read(seconds=2)) and len(positions(client)) == 2, 60, "two events of the position")
    opened, closed = positions(client)

    assert "MNQH26" == opened["data"]["contractDisplayName"] == closed["data"]["contractDisplayName"]
    assert (1, 1, entry) == (opened["action"], opened["data"]["type"], float(opened["data"]["averagePrice"]))
    assert (2, 0, 0, entry) == (
        closed["action"], closed["data"]["type"], closed["data"]["size"], float(closed["data"]["averagePrice"]),
    )  # fmt: skip


def positions(client: Any) -> list[dict[str, Any]]:
    return [event[1][0] for event in client.events() if event[0] == "GatewayUserPosition"]


def test_order_search_is_oldest_first_and_the_query_newest_first_unless_said_otherwise(trader: RunningVenue) -> None:
    ids = [trader.place(type=1, limitPrice=20000)["orderId"] for _ in range(3)]
    account = {"accountId": trader.account_id}
    since = (OPEN_AT - timedelta(days=1)).isoformat()

    def query(**body: Any) -> list[int]:
        rows = trader.post("/api/Order/v2/query", filter=account, **body)["orders"]
        return [row["id"] for row in rows if row["id"] in ids]

    rows = trader.post("/api/Order/search", **account, startTimestamp=since)["orders"]
    assert ids == [row["id"] for row in rows if row["id"] in ids]
    assert ids[::-1] == query()
    assert ids == query(sortDirection=0)
    assert ids[::-1] == query(sortDirection=1)
    trader.control("PUT", "behaviour", {"query_order": "oldest_first"})
    try:
        assert ids == query()
        assert ids[::-1] == query(sortDirection=1)
    finally:
        trader.control("PUT", "behaviour", {})


def test_a_fill_leaves_the_update_time_of_its_order_unless_the_behaviour_says_otherwise(trader: RunningVenue) -> None:
    stays = trader.order(filled(trader))
    trader.control("PUT", "behaviour", {"fills_update_orders": True})
    try:
        moves = trader.order(filled(trader, side=1))
    finally:
        trader.control("PUT", "behaviour", {})

    assert stays["updateTimestamp"] == stays["creationTimestamp"]
    assert moves["updateTimestamp"] > moves["creationTimestamp"]


def test_the_legs_of_a_bracket_are_updated_by_their_activation_and_not_by_their_fill(trader: RunningVenue) -> None:
    entry = filled(
        trader, stopLossBracket={"ticks": -4000, "type": 4}, takeProfitBracket={"ticks": 4, "type": 1}, customTag="leg"
    )
    activated = trader.order(entry + 2)["updateTimestamp"]
    trader.control("PUT", "market", {"contract": "MNQ", "steps": [{"price": "30000", "seconds": 5}]})
    trader.step(10)
    target = trader.order(entry + 2)

    assert (2, activated) == (target["status"], target["updateTimestamp"])
    assert activated > target["creationTimestamp"]


def test_a_hub_that_fails_closes_with_a_record_that_allows_a_reconnect(
    venue: RunningVenue, connect_hub: ConnectHub
) -> None:
    client = connect_hub(venue)
    venue.faults(path="hub_error")
    record = client.next(lambda record: record.get("type") == 7)

    assert {"type": 7, "error": "Connection closed with an error.", "allowReconnect": True} == record
    assert 1000 == client.read_until_closed()
    venue.remove_faults()
    assert "error" not in connect_hub(venue).invoke("SubscribeAccounts")
