"""Microsoft's SignalR client for JavaScript, with automatic reconnect, on both hubs of the simulator."""

import json
from typing import Any

import pytest

from tests.clients.programs import run_node, start_live_venue
from tests.fixtures.venue import RunningVenue, starting_venues

PRICES = {"lastPrice", "bestBid", "bestAsk", "open", "high", "low"}
MODES = ["direct", "negotiated"]  # as the venue's documents connect, and as the client does by default
BACK = ["reconnecting", "reconnected"]


@pytest.fixture(scope="module", params=MODES)
def events(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The events of a market order and of some seconds of market data."""
    with starting_venues(tmp_path_factory.mktemp("events")) as start:
        return run_node(start_live_venue(start), "events.mjs", request.param)


def reconnect_after(venue: RunningVenue, mode: str, **fault: Any) -> tuple[list[list[str]], list[str | None], int]:
    """Let a fault happen to both hubs; return each one's states until it is over, its first error, and all logouts."""
    found = run_node(venue, "reconnect.mjs", json.dumps(fault), mode)
    changes = [found["states"]["user"], found["states"]["market"]]
    states = [[state for state, _ in of_hub] for of_hub in changes]
    return states, [of_hub[0][1] for of_hub in changes], found["logouts"]


def test_every_event_of_both_hubs_arrives(events: dict[str, Any]) -> None:
    orders = [event["data"] for event in events["user"]["GatewayUserOrder"]]
    position = events["user"]["GatewayUserPosition"][0]["data"]

    assert "Method does not exist" in events["refused"]
    assert all(events["counts"].values())
    assert [6, 2] == [order["status"] for order in orders]
    assert events["contract"] == orders[0]["contractId"]
    assert (1, 1) == (position["type"], position["size"])
    assert orders[0]["id"] == events["user"]["GatewayUserTrade"][0]["data"]["orderId"]
    assert events["account"] == events["user"]["GatewayUserAccount"][-1]["data"]["id"]


def test_every_quote_names_its_symbol_and_has_a_price(events: dict[str, Any]) -> None:
    """As at the venue: project-x-py ignores all others."""
    for quote in events["quotes"]:
        assert quote["symbol"] == "F.US.MNQ"
        assert quote.keys() >= {"lastUpdated", "timestamp"}
        assert quote.keys() & PRICES


def test_trades_name_their_contract_and_depth_has_trades_too(events: dict[str, Any]) -> None:
    assert all(events["contract"] == trade["contractId"] for trade in events["trades"])
    assert {1, 2, 5, 6} <= set(events["depthTypes"])


@pytest.mark.parametrize("mode", MODES)
def test_it_reconnects_after_its_socket_was_cut(live_venue: RunningVenue, mode: str) -> None:
    states, errors, _ = reconnect_after(live_venue, mode, kind="hub_drop", count=2)

    assert [BACK, BACK] == states
    assert all("1006" in str(error) for error in errors)


@pytest.mark.parametrize("mode", MODES)
def test_it_reconnects_after_a_close_with_an_error(live_venue: RunningVenue, mode: str) -> None:
    states, errors, _ = reconnect_after(live_venue, mode, kind="hub_error", count=2)

    assert [BACK, BACK] == states
    assert all("Connection closed with an error." in str(error) for error in errors)


@pytest.mark.parametrize("mode", MODES)
def test_it_reconnects_after_an_outage(live_venue: RunningVenue, mode: str) -> None:
    states, _, _ = reconnect_after(live_venue, mode, kind="hub_gap", seconds=1, count=1)

    assert [BACK, BACK] == states


@pytest.mark.parametrize("mode", MODES)
def test_it_stays_closed_after_a_logout_and_can_start_again(live_venue: RunningVenue, mode: str) -> None:
    """The close after GatewayLogout does not allow the client to reconnect by itself."""
    states, errors, logouts = reconnect_after(live_venue, mode, kind="logout", count=2)

    assert [["closed"], ["closed"]] == states
    assert [None, None] == errors
    assert 2 == logouts
