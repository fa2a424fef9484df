"""The faults of the hubs: events lost, duplicated, late or out of order, and clients disconnected."""

from collections.abc import Iterator
from time import monotonic
from typing import Unpack

import pytest
from requests import post
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.fixtures.hubs import ConnectHub, HubClient
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ, FaultDetails, RunningVenue, StartVenue, starting_venues

RESTING = {"type": 1, "limitPrice": 20000}


@pytest.fixture(scope="module")
def shared_venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    with starting_venues(tmp_path_factory.mktemp("hubs")) as start:
        yield start()


@pytest.fixture
def venue(shared_venue: RunningVenue) -> Iterator[RunningVenue]:
    yield shared_venue
    shared_venue.remove_faults()


@pytest.fixture
def client(venue: RunningVenue, connect_hub: ConnectHub) -> HubClient:
    client = connect_hub(venue)
    assert "error" not in client.invoke("SubscribeOrders", venue.account_id)
    return client


def arm(venue: RunningVenue, kind: str, **more: Unpack[FaultDetails]) -> None:
    venue.faults(path=kind, **more)


def statuses(client: HubClient, count: int) -> list[tuple[int, int]]:
    """Return order id and status of the first `count` events."""
    return [(payload[0]["data"]["id"], payload[0]["data"]["status"]) for _, payload in client.wait_for_events(count)]


def test_event_lost_drops_an_event(venue: RunningVenue, client: HubClient) -> None:
    arm(venue, "event_lost")
    order = venue.place(**RESTING)["orderId"]
    other = venue.place(**RESTING)["orderId"]

    assert [(order, 1), (other, 6), (other, 1)] == statuses(client, 3)


def test_event_duplicate_sends_an_event_twice(venue: RunningVenue, client: HubClient) -> None:
    arm(venue, "event_duplicate")
    order = venue.place(**RESTING)["orderId"]

    assert [(order, 6), (order, 6), (order, 1)] == statuses(client, 3)


def test_event_reorder_sends_an_event_after_the_next(venue: RunningVenue, client: HubClient) -> None:
    arm(venue, "event_reorder", seconds=600)
    order = venue.place(**RESTING)["orderId"]

    assert [(order, 1), (order, 6)] == statuses(client, 2)


def test_a_reordered_event_without_a_next_one_comes_after_its_seconds(venue: RunningVenue, client: HubClient) -> None:
    order = venue.place(**RESTING)["orderId"]
    client.wait_for_events(2)
    arm(venue, "event_reorder", seconds=0.1)
    venue.post("/api/Order/cancel", accountId=venue.account_id, orderId=order)

    assert [(order, 6), (order, 1), (order, 3)] == statuses(client, 3)


def test_event_late_delays_an_event(venue: RunningVenue, client: HubClient) -> None:
    arm(venue, "event_late", seconds=0.5)
    since = monotonic()
    order = venue.place(**RESTING)["orderId"]

    assert [(order, 1), (order, 6)] == statuses(client, 2)
    assert monotonic() - since >= 0.5


def test_an_event_fault_waits_for_a_subscriber(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    arm(venue, "event_duplicate")
    venue.place(**RESTING)
    client = connect_hub(venue)
    client.invoke("SubscribeOrders", venue.account_id)
    order = venue.place(**RESTING)["orderId"]

    assert [(order, 6), (order, 6), (order, 1)] == statuses(client, 3)


def test_quotes_vanish_while_trades_go_on_and_then_a_full_one_comes(
    venue: RunningVenue, connect_hub: ConnectHub
) -> None:
    client = connect_hub(venue, "market")
    for method in ("SubscribeContractQuotes", "SubscribeContractTrades"):
        client.invoke(method, MNQ)

    def list_new(target: str, since: int) -> list[dict[str, object]]:
        return [arguments[1] for name, arguments in client.events()[since:] if name == target]

    def wait_for(target: str, count: int, since: int) -> None:
        while len(list_new(target, since)) < count:
            client.read()

    wait_for("GatewayQuote", 1, 0)
    arm(venue, "quote_gap", seconds=600)
    until(lambda: venue.control("GET", "faults").json()[0]["met"], 60, "the gap")
    client.invoke("SubscribeContractTrades", MNQ)  # its answer comes after every event before the gap
    since = len(client.events())
    wait_for("GatewayTrade", 3, since)
    assert [] == list_new("GatewayQuote", since)
    arm(venue, "quote_gap", seconds=0.01)
    wait_for("GatewayQuote", 1, since)

    assert {"symbolName", "bestBid", "bestAsk", "lastPrice", "volume"} <= list_new("GatewayQuote", since)[0].keys()


def test_logout_sends_gateway_logout_and_closes_the_connection(venue: RunningVenue, client: HubClient) -> None:
    arm(venue, "logout")
    code = client.read_until_closed()

    assert (1000, [("GatewayLogout", [])]) == (code, client.events())
    assert {"type": 7} == client.records[-1]


def test_an_outage_cuts_all_clients_and_refuses_new_ones(start_venue: StartVenue, connect_hub: ConnectHub) -> None:
    venue = start_venue()
    token = venue.log_in()
    user, market = connect_hub(venue, token=token), connect_hub(venue, "market", token=token)
    arm(venue, "hub_gap", seconds=600)
    codes = [client.read_until_closed() for client in (user, market)]
    with pytest.raises(InvalidStatus) as refused:
        connect_hub(venue, token=token)

    assert ([1006, 1006], 503) == (codes, refused.value.response.status_code)
    assert 503 == post(f"{venue.url}/hubs/user/negotiate?access_token={token}", timeout=60).status_code
    assert venue.place(**RESTING)["success"]


def test_an_outage_ends_after_its_seconds(venue: RunningVenue, client: HubClient, connect_hub: ConnectHub) -> None:
    token = venue.log_in()
    since = monotonic()
    arm(venue, "hub_gap", seconds=0.3)

    def is_back() -> bool:
        try:
            return "error" not in connect_hub(venue, token=token).invoke("SubscribeAccounts")
        except (InvalidStatus, ConnectionClosed):
            return False

    assert 1006 == client.read_until_closed()
    until(is_back, what="the end of the outage")
    assert monotonic() - since >= 0.3


def test_hub_drop_cuts_only_one_client(venue: RunningVenue, client: HubClient, connect_hub: ConnectHub) -> None:
    market = connect_hub(venue, "market")
    arm(venue, "hub_drop")

    assert 1006 == client.read_until_closed()
    assert "error" not in market.invoke("SubscribeContractTrades", MNQ)
