"""The market hub while its thread computes: clients come, subscribe again and go; an error ends the simulator."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from threading import Event
from typing import Any

import pytest

from simulator.hubs.market_feed import ContractRecords, ContractRequest, MarketFeed
from simulator.hubs.ticker import MarketUpdate, Ticker
from tests.fixtures.hubs import ConnectHub, HubClient, HubsHere, StartHubs
from tests.fixtures.venue import MNQ, StartVenue

QUOTES = "ContractQuotes"


@dataclass
class Pause:
    """Lets the computing thread wait in its next advance, until it may go on."""

    is_wanted: bool = False
    is_reached: Event = field(default_factory=Event)
    may_go_on: Event = field(default_factory=Event)


@pytest.fixture
def pause(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pause]:
    pause, advance = Pause(), Ticker.advance

    def advance_after_pause(ticker: Ticker, now: datetime) -> MarketUpdate:
        if pause.is_wanted:
            pause.is_wanted = False
            pause.is_reached.set()
            pause.may_go_on.wait(60)
        return advance(ticker, now)

    monkeypatch.setattr(Ticker, "advance", advance_after_pause)
    yield pause
    pause.may_go_on.set()


def quotes(client: HubClient) -> list[dict[str, Any]]:
    return [arguments[1] for target, arguments in client.events() if target == "GatewayQuote"]


def read_until(client: HubClient, is_done: Callable[[], bool]) -> None:
    while not is_done():
        client.read()


def move_price(hubs: HubsHere, price: str) -> None:
    hubs.call(partial(hubs.venue_core.move_price, price))


def subscribe_and_wait_for_pause(client: HubClient, pause: Pause) -> None:
    pause.is_wanted = True
    assert "error" not in client.invoke(f"Subscribe{QUOTES}", MNQ)
    assert pause.is_reached.wait(60)


def test_a_client_that_subscribes_again_meanwhile_gets_a_full_quote_for_each_call_and_then_changes(
    hubs_here: StartHubs, connect_hub: ConnectHub, pause: Pause
) -> None:
    hubs = hubs_here()
    client = connect_hub(hubs, "market")
    subscribe_and_wait_for_pause(client, pause)
    for call in ("Unsubscribe", "Subscribe"):
        assert "error" not in client.invoke(f"{call}{QUOTES}", MNQ)
    move_price(hubs, "25010.00")
    assert [] == quotes(client)
    pause.may_go_on.set()
    read_until(client, lambda: len(quotes(client)) >= 2)
    move_price(hubs, "25020.00")
    read_until(client, lambda: float(quotes(client)[-1].get("lastPrice", 0)) == 25020)
    full = ["symbolName" in quote for quote in quotes(client)]

    assert [True, True] == full[:2]
    assert not any(full[2:])
    assert 25010 in {float(quote["lastPrice"]) for quote in quotes(client)[2:] if "lastPrice" in quote}


def test_a_client_that_unsubscribes_meanwhile_gets_nothing(
    hubs_here: StartHubs, connect_hub: ConnectHub, pause: Pause
) -> None:
    hubs = hubs_here()
    client, other = connect_hub(hubs, "market"), connect_hub(hubs, "market")
    subscribe_and_wait_for_pause(client, pause)
    assert "error" not in client.invoke(f"Unsubscribe{QUOTES}", MNQ)
    assert "error" not in other.invoke(f"Subscribe{QUOTES}", MNQ)
    pause.may_go_on.set()
    other.wait_for_events(1)
    client.invoke(f"Unsubscribe{QUOTES}", MNQ)

    assert [] == client.events()


def test_a_client_that_closes_meanwhile_leaves_the_others_their_quotes(
    hubs_here: StartHubs, connect_hub: ConnectHub, pause: Pause
) -> None:
    hubs = hubs_here()
    client, other = connect_hub(hubs, "market"), connect_hub(hubs, "market")
    subscribe_and_wait_for_pause(client, pause)
    assert "error" not in other.invoke(f"Subscribe{QUOTES}", MNQ)
    client.socket.close()
    pause.may_go_on.set()
    other.wait_for_events(1)
    move_price(hubs, "25010.00")
    other.wait_for_events(2)
    again = connect_hub(hubs, "market")
    again.invoke(f"Subscribe{QUOTES}", MNQ)
    again.wait_for_events(1)

    assert ["symbolName" in quote for quote in quotes(other)[:2]] == [True, False]
    assert "symbolName" in quotes(again)[0]


def break_market_data() -> None:
    """Let the thread of the market data fail once a contract has a subscriber."""
    advance = MarketFeed.advance

    def fail(
        self: MarketFeed, requested: Sequence[ContractRequest], now: datetime, *, is_array: bool
    ) -> list[ContractRecords]:
        if requested:
            raise RuntimeError("the market data is broken")
        return advance(self, requested, now, is_array=is_array)

    MarketFeed.advance = fail  # type: ignore[method-assign]


def test_an_error_of_the_thread_closes_the_clients_and_ends_the_simulator_with_the_reason(
    start_venue: StartVenue, connect_hub: ConnectHub
) -> None:
    venue = start_venue(change=break_market_data)
    user, market = connect_hub(venue), connect_hub(venue, "market")
    market.invoke(f"Subscribe{QUOTES}", MNQ)
    for client in (user, market):
        client.read_until_closed()

        assert (7, True) == (client.records[-1]["type"], client.records[-1]["allowReconnect"])
    assert venue.process.wait(60) != 0
    errors = (venue.state / "stderr").read_text()
    assert "the market cannot be advanced: the simulator stops" in errors
    assert "RuntimeError: the market data is broken" in errors
