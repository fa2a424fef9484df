"""The market hub publishes the same market as the REST bars, and the quotes at which orders fill."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from pathlib import Path
from threading import current_thread
from typing import Any

import pytest

from shared.domain.market_data.bar import MINUTE
from simulator.hubs.ticker import Ticker
from tests.fixtures.hubs import ConnectHub, HubClient, StartHubs
from tests.fixtures.venue import MES, MNQ, OPEN_AT, RunningVenue, StartVenue, starting_venues, write_bars

NQ = "CON.F.US.ENQ.H26"
QUOTE_FIELDS = {
    "symbol", "symbolName", "lastPrice", "bestBid", "bestAsk", "change", "changePercent", "open", "high", "low",
    "volume", "lastUpdated", "timestamp", "contract",
}  # fmt: skip
EVERY_QUOTE = {"timestamp", "lastUpdated", "symbol", "contract"}
BEST = {"bestBid", "bestAsk"}  # also unchanged, in a quote that would have no price
PRICES = BEST | {"lastPrice", "open", "high", "low"}
STEPPED = ["--stepped"]


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    """A stepped market."""
    with starting_venues(tmp_path_factory.mktemp("hubs")) as start:
        yield start(options=STEPPED)


def payloads(client: HubClient, target: str, contract_id: str = MNQ) -> list[Any]:
    return [event[1][1] for event in client.events() if event[0] == target and event[1][0] == contract_id]


def has_more(quotes: Callable[[], list[Any]], count: int) -> bool:
    return len(quotes()) > count


def advance_until(venue: RunningVenue, client: HubClient, is_done: Callable[[], bool], seconds: float = 10) -> None:
    """Advance the market in steps of some seconds, and read the events, until `is_done`."""
    for _ in range(200):
        if is_done():
            return
        venue.step(seconds)
        with suppress(TimeoutError):  # an unchanged market sends no event
            client.read(seconds=2)
    pytest.fail(f"the market advanced by {200 * seconds:.0f} s without the expected events")


def test_trap_11_the_first_quote_is_full_and_later_ones_have_only_changes(
    venue: RunningVenue, connect_hub: ConnectHub
) -> None:
    client = connect_hub(venue, "market")
    assert "error" not in client.invoke("SubscribeContractQuotes", NQ)
    advance_until(venue, client, lambda: len(payloads(client, "GatewayQuote", NQ)) > 100)
    first, *others = payloads(client, "GatewayQuote", NQ)

    assert QUOTE_FIELDS == set(first)
    assert "F.US.ENQ" == first["symbol"]
    assert all({"timestamp", "lastUpdated"} <= set(quote) for quote in others)
    assert any("lastPrice" not in quote for quote in others)
    assert any("lastPrice" in quote and "open" not in quote for quote in others)
    merged = dict(first)
    for quote in others:
        unchanged = {name for name in set(quote) - EVERY_QUOTE if merged[name] == quote[name]} - {"changePercent"}
        assert not unchanged or (unchanged == BEST and not set(quote) & PRICES - BEST)
        merged |= quote
        assert Decimal("0.25") == Decimal(merged["bestAsk"]) - Decimal(merged["bestBid"])
        assert merged["lastPrice"] in {merged["bestAsk"], merged["bestBid"]}


def test_trap_11_trades_and_depth_come_as_arrays_padded_with_nulls(
    venue: RunningVenue, connect_hub: ConnectHub
) -> None:
    client = connect_hub(venue, "market")
    client.invoke("SubscribeContractTrades", MNQ)
    client.invoke("SubscribeContractMarketDepth", MNQ)
    advance_until(venue, client, lambda: any(None in payload for payload in payloads(client, "GatewayTrade")))
    advance_until(venue, client, lambda: len(payloads(client, "GatewayDepth")) > 3)
    trades = [trade for payload in payloads(client, "GatewayTrade") for trade in payload if trade]

    assert {"symbolId", "price", "timestamp", "type", "volume", "contractId"} == set(trades[0])
    assert ("F.US.MNQ", True) == (trades[0]["symbolId"], {trade["type"] for trade in trades} <= {0, 1})
    assert any(None in payload for payload in payloads(client, "GatewayDepth"))


def test_trap_11_trades_and_depth_come_as_objects_with_that_behaviour(
    start_venue: StartVenue, connect_hub: ConnectHub
) -> None:
    venue = start_venue(options=STEPPED)
    venue.control("PUT", "behaviour", {"market_payloads": "object"})
    client = connect_hub(venue, "market")
    client.invoke("SubscribeContractTrades", MNQ)
    client.invoke("SubscribeContractMarketDepth", MNQ)
    advance_until(
        venue, client, lambda: len(payloads(client, "GatewayTrade")) > 3 and len(payloads(client, "GatewayDepth")) > 3
    )

    assert {dict} == {
        type(payload) for target in ("GatewayTrade", "GatewayDepth") for payload in payloads(client, target)
    }


def test_a_book_begins_with_a_reset_and_a_large_snapshot_before_its_changes(
    venue: RunningVenue, connect_hub: ConnectHub
) -> None:
    client = connect_hub(venue, "market")
    client.invoke("SubscribeContractMarketDepth", MNQ)
    client.invoke("SubscribeContractQuotes", MNQ)  # quotes come also while the price stays
    advance_until(venue, client, lambda: len(payloads(client, "GatewayDepth")) > 10)
    snapshot, *later = payloads(client, "GatewayDepth")

    assert 6 == snapshot[0]["type"]
    assert len(str(snapshot)) > 10_000
    assert {1: 60, 2: 60} == {side: len([row for row in snapshot if row and row["type"] == side]) for side in (1, 2)}
    book: dict[tuple[int, str], int] = {}
    for payload in (snapshot, *later):
        for row in payload:
            if row and row["type"] in {1, 2}:
                book[row["type"], row["price"]] = row["volume"]
    bids, asks = (
        [Decimal(price) for (type_, price), size in book.items() if size and type_ == side] for side in (2, 1)
    )
    assert (60, 60) == (len(bids), len(asks))
    assert max(bids) + Decimal("0.25") == min(asks)


def test_the_trades_of_a_minute_add_up_to_its_rest_bar(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    client = connect_hub(venue, "market")
    client.invoke("SubscribeContractTrades", MNQ)

    def minutes() -> list[datetime]:
        return sorted({minute_of(trade) for payload in payloads(client, "GatewayTrade") for trade in payload if trade})

    advance_until(venue, client, lambda: len(minutes()) > 4, seconds=30)
    complete = minutes()[1:-1]
    bars = venue.post(
        "/api/History/retrieveBars", contractId=MNQ, live=False, startTime=complete[0].isoformat(),
        endTime=(complete[-1] + MINUTE).isoformat(), unit=2, unitNumber=1, limit=100, includePartialBar=False,
    )["bars"]  # fmt: skip
    trades = [trade for payload in payloads(client, "GatewayTrade") for trade in payload if trade]
    bars_of_trades = []
    for minute in reversed(complete):
        rows = [trade for trade in trades if minute_of(trade) == minute]
        prices = [float(row["price"]) for row in rows]
        bars_of_trades.append(
            {
                "t": minute.isoformat(),
                "o": prices[0],
                "h": max(prices),
                "l": min(prices),
                "c": prices[-1],
                "v": sum(row["volume"] for row in rows),
            }
        )

    assert bars == bars_of_trades
    assert all(earlier["timestamp"] <= later["timestamp"] for earlier, later in pairwise(trades))


def minute_of(trade: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(trade["timestamp"]).replace(second=0, microsecond=0)


def test_a_market_order_fills_at_the_published_quote(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    client = connect_hub(venue, "market")
    client.invoke("SubscribeContractQuotes", MES)
    quotes = partial(payloads, client, "GatewayQuote", MES)
    placed = []
    for side in (0, 1, 0, 1):
        placed.append((side, venue.place(contractId=MES, side=side)["orderId"]))
        count = len(quotes())
        advance_until(venue, client, partial(has_more, quotes, count + 20), seconds=1)
    fills = [(side, venue.order(id_)) for side, id_ in placed]
    assert {2} == {order["status"] for _, order in fills}
    rows = venue.post("/api/Trade/search", accountId=venue.account_id)["trades"]
    filled_at = {row["orderId"]: parse_instant(row["creationTimestamp"]) for row in rows}
    last = max(filled_at[order["id"]] for _, order in fills)
    advance_until(venue, client, lambda: parse_instant(quotes()[-1]["timestamp"]) > last, seconds=1)
    for side, order in fills:
        shown: dict[str, Any] = {}
        for quote in quotes():
            # A price is published at most a microsecond after the market reaches it.
            if parse_instant(quote["timestamp"]) <= filled_at[order["id"]] + timedelta(microseconds=1):
                shown |= quote

        assert float(shown["bestAsk" if side == 0 else "bestBid"]) == order["filledPrice"]


def parse_instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_client_gets_only_the_contracts_it_is_subscribed_to(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    client, other = connect_hub(venue, "market"), connect_hub(venue, "market")
    other.invoke("SubscribeContractTrades", MES)
    client.invoke("SubscribeContractQuotes", MNQ)
    advance_until(venue, client, lambda: len(payloads(client, "GatewayQuote")) > 3)
    client.invoke("UnsubscribeContractQuotes", MNQ)
    count = len(client.events())
    advance_until(venue, other, lambda: len(other.events()) > 5)
    client.invoke("UnsubscribeContractQuotes", MNQ)

    assert count == len(client.events())
    assert {("GatewayQuote", MNQ)} == {(target, arguments[0]) for target, arguments in client.events()}
    assert {("GatewayTrade", MES)} == {(target, arguments[0]) for target, arguments in other.events()}


def test_a_later_subscriber_gets_the_full_quote_and_book_first_and_then_the_same_as_the_others(
    venue: RunningVenue, connect_hub: ConnectHub
) -> None:
    clients = connect_hub(venue, "market"), connect_hub(venue, "market")
    for client in clients:
        for what in ("Quotes", "MarketDepth"):
            assert "error" not in client.invoke(f"SubscribeContract{what}", MNQ)
        count = len(payloads(client, "GatewayQuote"))
        advance_until(
            venue, client, partial(has_more, partial(payloads, client, "GatewayQuote"), count + 50), seconds=1
        )
    first, second = clients
    quotes = payloads(second, "GatewayQuote")
    advance_until(venue, first, lambda: quotes[-1] in payloads(first, "GatewayQuote"), seconds=1)

    assert QUOTE_FIELDS == set(quotes[0])
    assert 6 == payloads(second, "GatewayDepth")[0][0]["type"]
    assert quotes[1:] == [quote for quote in payloads(first, "GatewayQuote") if quote in quotes[1:]]


def test_a_client_may_subscribe_to_every_contract_at_once(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    client = connect_hub(venue, "market")
    ids = [row["id"] for row in venue.post("/api/Contract/available", live=False)["contracts"]]
    client.say(*({"type": 1, "target": "SubscribeContractQuotes", "arguments": [id_]} for id_ in ids))
    while set(ids) - {arguments[0] for _, arguments in client.events()}:
        client.read()

    assert 51 == len(ids)
    assert all(QUOTE_FIELDS == set(payloads(client, "GatewayQuote", id_)[0]) for id_ in ids)


def test_the_market_data_is_computed_outside_the_event_loop(
    hubs_here: StartHubs, connect_hub: ConnectHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set[str]()

    def recording(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            threads.add(current_thread().name)
            return original(*args)

        return call

    for name in ("__init__", "advance", "full_quote", "ladder"):
        monkeypatch.setattr(Ticker, name, recording(getattr(Ticker, name)))
    client = connect_hub(hubs_here(), "market")
    client.invoke("SubscribeContractQuotes", MNQ)
    client.invoke("SubscribeContractMarketDepth", MNQ)
    client.wait_for_events(2)

    assert ["market data_0"] == list(threads)


def test_a_contract_the_market_does_not_know_is_an_error(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    client = connect_hub(venue, "market")

    assert "Contract not found." == client.invoke("SubscribeContractQuotes", "CON.F.US.XYZ.H26")["error"]
    assert "error" in client.invoke("SubscribeContractQuotes", 7)


def test_no_event_comes_before_the_first_price_and_all_come_after_it(
    start_venue: StartVenue, connect_hub: ConnectHub, tmp_path: Path
) -> None:
    opens = OPEN_AT + timedelta(minutes=2)
    rows = [((opens + n * MINUTE).isoformat(), "25000", "25001", "24999", "25000.5", 10) for n in range(30)]
    file = write_bars(tmp_path / "mnqh6-1m-2026-03.csv", rows)
    venue = start_venue(replay=file, market_origin=OPEN_AT, options=STEPPED)
    client = connect_hub(venue, "market")
    for what in ("Quotes", "Trades", "MarketDepth"):
        assert "error" not in client.invoke(f"SubscribeContract{what}", MNQ)
    venue.step_to(opens - timedelta(seconds=1))
    venue.step(0.5)
    assert "error" not in client.invoke("UnsubscribeContractTrades", MNQ)
    assert [] == client.events()
    venue.step_to(opens + MINUTE - timedelta(seconds=1))
    advance_until(venue, client, lambda: bool(payloads(client, "GatewayDepth") and payloads(client, "GatewayQuote")))

    assert QUOTE_FIELDS - {"changePercent"} <= set(payloads(client, "GatewayQuote")[0])
    assert 6 == payloads(client, "GatewayDepth")[0][0]["type"]
    assert opens <= parse_instant(payloads(client, "GatewayQuote")[0]["timestamp"]) < opens + MINUTE
