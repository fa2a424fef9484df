"""The user hub publishes the changes of the subscribed accounts, in the order observed at the venue."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from simulator.venue.accounts import KINDS
from simulator.venue.records import AccountSettings
from tests.fixtures.hubs import ConnectHub, HubEventSeen, StartHubs
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ, RunningVenue, starting_venues
from tests.fixtures.venue_core import VenueCore

ENTRY, TRADE, POSITION, ACCOUNT = "GatewayUserOrder", "GatewayUserTrade", "GatewayUserPosition", "GatewayUserAccount"
BRACKET = {"stopLossBracket": {"ticks": -4000, "type": 4}, "takeProfitBracket": {"ticks": 4000, "type": 1}}


@pytest.fixture(scope="module")
def shared_venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    with starting_venues(tmp_path_factory.mktemp("hubs")) as start:
        yield start()


@pytest.fixture
def venue(shared_venue: RunningVenue) -> Iterator[RunningVenue]:
    yield shared_venue
    shared_venue.remove_faults()
    shared_venue.post("/api/Position/closeContract", accountId=shared_venue.account_id, contractId=MNQ)
    until(lambda: shared_venue.position() == 0)


def kinds(events: list[HubEventSeen]) -> list[tuple[str, int]]:
    """Return each event's kind, with the status of an order or the type of a position."""
    return [(target, data.get("status", data.get("type", 0))) for target, data in contents(events)]


def contents(events: list[HubEventSeen]) -> list[tuple[str, dict[str, Any]]]:
    return [(target, payload[0].get("data", payload[0])) for target, payload in events]


def test_a_filled_bracket_entry_has_its_events_in_the_order_observed_at_the_venue(
    venue: RunningVenue, connect_hub: ConnectHub
) -> None:
    client = connect_hub(venue)
    client.subscribe_user(venue.account_id)
    placed = venue.place(customTag="hub-1", **BRACKET)["orderId"]
    events = client.wait_for_events(9)

    assert [
        (ENTRY, 8), (ENTRY, 6), (ENTRY, 8), (ENTRY, 2), (TRADE, 0), (POSITION, 1), (ACCOUNT, 0), (ENTRY, 1), (ENTRY, 1),
    ] == kinds(events)  # fmt: skip
    assert [placed + 1, placed, placed + 2, placed] == [data["id"] for _, data in contents(events)[:4]]
    assert [placed + 2, placed + 1] == [data["id"] for _, data in contents(events)[7:]]
    assert [1, 1, 1, 1, 0, 1, 1, 1, 1] == [payload[0]["action"] for _, payload in events]
    assert all(value is not None for _, data in contents(events) for value in data.values())


def test_trap_12_events_are_wrapped_and_sometimes_not(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    client = connect_hub(venue)
    assert "error" not in client.invoke("SubscribeOrders", venue.account_id)
    venue.place(type=1, limitPrice=20000)
    client.wait_for_events(2)
    venue.faults(path="event_unwrapped")
    venue.place(type=1, limitPrice=20000)
    events = client.wait_for_events(4)

    assert [{"action", "data"}, {"action", "data"}] == [set(payload[0]) for _, payload in events[:2]]
    assert ("accountId" in events[2][1][0], {"action", "data"}) == (True, set(events[3][1][0]))


def test_a_closed_position_has_type_and_size_zero_and_action_two(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    venue.place()
    until(lambda: venue.position() == 1)
    client = connect_hub(venue)
    assert "error" not in client.invoke("SubscribePositions", venue.account_id)
    venue.post("/api/Position/closeContract", accountId=venue.account_id, contractId=MNQ)
    [(target, [payload])] = client.wait_for_events(1)

    assert (POSITION, 2, 0, 0) == (target, payload["action"], payload["data"]["type"], payload["data"]["size"])
    assert (MNQ, "MNQH26") == (payload["data"]["contractId"], payload["data"]["contractDisplayName"])


def test_events_have_the_same_rows_as_rest(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    client = connect_hub(venue)
    client.subscribe_user(venue.account_id)
    venue.place()
    events = contents(client.wait_for_events(5))
    [position] = venue.post("/api/Position/searchOpen", accountId=venue.account_id)["positions"]
    trade = venue.post("/api/Trade/search", accountId=venue.account_id, startTimestamp="2020-01-01T00:00:00Z")[
        "trades"
    ][0]
    [account] = venue.post("/api/Account/search", onlyActiveAccounts=True)["accounts"]

    assert position == with_floats(events[3][1])
    assert {name: value for name, value in trade.items() if value is not None} == with_floats(events[2][1])
    assert account == with_floats(events[4][1])


def with_floats(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data of an event with its decimals as floats, as the JSON of REST answers is read."""
    prices = ("price", "averagePrice", "balance", "fees", "commissions")
    return {name: float(Decimal(value)) if name in prices else value for name, value in data.items()}


def test_a_client_gets_only_the_events_it_is_subscribed_to(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    quiet, trades = connect_hub(venue), connect_hub(venue)
    trades.invoke("SubscribeTrades", venue.account_id)
    venue.place()
    trades.wait_for_events(1)
    trades.invoke("UnsubscribeTrades", venue.account_id)
    venue.place()
    until(lambda: venue.position() == 2)
    trades.invoke("UnsubscribeTrades", venue.account_id)
    quiet.invoke("SubscribeAccounts")

    assert ([TRADE], []) == ([target for target, _ in trades.events()], quiet.events())


def test_a_user_gets_no_events_of_the_accounts_of_another_user(
    hubs_here: StartHubs, connect_hub: ConnectHub, venue_core: VenueCore
) -> None:
    hubs = hubs_here()
    hubs.logins.add_user("another", "another-key")
    other_account = hubs.call(lambda: venue_core.venue.add_account("another", KINDS["PRAC"]))
    owner_client, other_client = connect_hub(hubs), connect_hub(hubs, token=hubs.logins.issue("another"))
    answers = [owner_client.invoke("SubscribeOrders", other_account.id), other_client.invoke("SubscribeTrades", 20001)]
    for client in (owner_client, other_client):
        assert "error" not in client.invoke("SubscribeAccounts")
    answers += [owner_client.invoke("SubscribeOrders", 20001), other_client.invoke("SubscribeTrades", other_account.id)]
    for id_ in (20001, other_account.id):
        assert hubs.call(partial(venue_core.venue.set_account, id_, AccountSettings(can_trade=False)))

    assert ["Account not found.", "Account not found.", None, None] == [answer.get("error") for answer in answers]
    assert [20001] == [data["id"] for _, data in contents(owner_client.wait_for_events(1))]
    assert [other_account.id] == [data["id"] for _, data in contents(other_client.wait_for_events(1))]


def test_trap_10_a_client_that_reconnects_has_no_subscriptions(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    client = connect_hub(venue)
    client.subscribe_user(venue.account_id)
    venue.faults(path="hub_drop")
    with pytest.raises(ConnectionClosed) as dropped:
        client.next(lambda _: False)
    venue.place()
    until(lambda: venue.position() == 1)
    again = connect_hub(venue)
    venue.place()
    until(lambda: venue.position() == 2)
    again.invoke("SubscribeAccounts")

    assert dropped.value.rcvd is None
    assert [] == again.events()
