"""project-x-py, a Python client of the venue: its whole suite, on REST and both hubs of the simulator."""

import json
from typing import Any

import pytest

from tests.clients.programs import START_PRICE, run_python, start_live_venue
from tests.fixtures.venue import RunningVenue, starting_venues

BUY, SELL = 0, 1
LIMIT, STOP, TRAILING_STOP, JOIN_BID, JOIN_ASK = 1, 4, 5, 6, 7
PENDING, OPEN, FILLED, CANCELLED = 6, 1, 2, 3
DAY_S = 86_400
WATCHDOG_S = "30"  # the client's own
MNQ_POINT = 2  # dollars


@pytest.fixture(scope="module")
def market_data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with starting_venues(tmp_path_factory.mktemp("market")) as start:
        return run_python(start_live_venue(start), "market_data.py")


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with starting_venues(tmp_path_factory.mktemp("orders")) as start:
        return run_python(start_live_venue(start, is_still=True), "orders.py")


def test_login_contracts_bars_quotes_depth_and_tape(market_data: dict[str, Any]) -> None:
    found = market_data
    bars = found["bars"]

    assert found["account"].startswith("PRAC-")
    assert 1 == found["accounts"]
    assert ".MNQ." in found["contract"]
    assert found["contract"] in found["found"]
    for name, least, age_s in (("1 min", 3 * 1380, 120), ("1 h", 3 * 23, 7200), ("1 day", 3, 2 * DAY_S)):
        assert bars[name]["rows"] >= least, name
        assert bars[name]["sorted"], name
        assert bars[name]["valid"], name
        assert bars[name]["age_s"] < age_s, name
    assert min(found["bid"], found["ask"]) > 0  # it drops depth messages that wait together: they may cross
    assert min(found["bids"], found["asks"]) >= 5


def test_it_accepts_every_quote_and_trade(market_data: dict[str, Any]) -> None:
    found = market_data

    assert [] == found["warnings"]
    assert found["quotes_accepted"] >= len(found["quotes"])
    assert found["trades_accepted"] >= 5
    assert all(quote["symbol"] == "F.US.MNQ" for quote in found["quotes"])
    assert all(trade["contractId"] == found["contract"] for trade in found["trades"])
    assert found["price"] > 0


def test_its_order_book_has_a_trade_tape(market_data: dict[str, Any]) -> None:
    """It takes trades from the depth (type 5), not from the trades of the market hub.

    Where it has dropped depth messages that waited together, a trade may meet a book without one of its sides.
    """
    assert all(trade["volume"] > 0 for trade in market_data["tape"])
    sides = {trade["side"] for trade in market_data["tape"]}
    assert sides & {"buy", "sell", "neutral"}
    assert sides <= {"buy", "sell", "neutral", "unknown"}


def test_every_order_type_is_placed_modified_and_cancelled(orders: dict[str, Any]) -> None:
    price = float(START_PRICE)
    resting = orders["resting"]
    expected = {
        "limit": (LIMIT, BUY, "limitPrice", price - 50, price - 60, 2),
        "stop": (STOP, SELL, "stopPrice", price - 50, price - 60, 2),
        "trailing": (TRAILING_STOP, SELL, "stopPrice", price - 50, price - 60, 1),
        "join bid": (JOIN_BID, BUY, "limitPrice", price, price - 60, 1),
        "join ask": (JOIN_ASK, SELL, "limitPrice", price + 0.25, price + 60, 1),
    }

    assert expected.keys() == resting.keys()
    for name, (type_, side, field, at, changed, size) in expected.items():
        order, modified = resting[name]["placed"], resting[name]["modified"]
        assert (type_, side, 1, at) == (order["type"], order["side"], order["size"], order[field]), name
        assert (size, changed) == (modified["size"], modified[field]), name
        assert resting[name]["is_modified"], name
        assert resting[name]["is_cancelled"], name
        assert [PENDING, OPEN, OPEN, CANCELLED] == orders["events"][str(resting[name]["id"])], name


def test_positions_brackets_and_trades(orders: dict[str, Any]) -> None:
    market, bracket = orders["market"], orders["bracket"]
    closing = [trade for trade in orders["trades"] if trade["pnl"] is not None]

    assert (3, float(START_PRICE) + 0.25) == (market["size"], market["price"])
    assert market["part"]
    assert market["rest"]
    assert [PENDING, FILLED] == orders["events"][str(market["id"])]
    assert [LIMIT, STOP] == bracket["working"]
    assert (CANCELLED, FILLED) == (bracket["stop"], bracket["target"])
    assert (0, 0) == (orders["open"], orders["positions"])
    assert [40 * MNQ_POINT - 0.5, -2 * 0.5, -0.5] == [trade["pnl"] for trade in closing]
    assert sorted(orders["history"]) == orders["history"]  # the venue lists the oldest first


@pytest.mark.parametrize("points", [10, -10])
def test_its_risk_manager_does_not_block_after_a_round_trip(still_venue: RunningVenue, points: int) -> None:
    """The closing event has the average of the entry, as at the venue.

    The client takes it for the price of the exit, so that its own loss and profit are 0.
    """
    found = run_python(still_venue, "round_trip.py", str(points))

    assert points * MNQ_POINT - 1 <= found["pnl"] <= points * MNQ_POINT
    assert (0, 0) == (found["closing"]["size"], found["closing"]["type"])
    assert float(START_PRICE) + 0.25 == found["closing"]["averagePrice"]
    assert (0, 0, 1) == (found["daily_loss"], found["realized"], found["daily_trades"])
    assert found["is_valid"], found["reasons"]


@pytest.mark.parametrize("kind", ["hub_drop", "logout"])
def test_it_reconnects_when_a_hub_closes(live_venue: RunningVenue, kind: str) -> None:
    run_python(live_venue, "reconnect.py", json.dumps({"kind": kind, "count": 1}), WATCHDOG_S)


def test_it_reconnects_after_a_close_with_an_error(live_venue: RunningVenue) -> None:
    """Its SignalR client stops at an error; its watchdog connects anew once the market hub has been silent."""
    run_python(live_venue, "reconnect.py", json.dumps({"kind": "hub_error", "count": 2}), "3")


def test_it_can_be_connected_again_after_an_outage(live_venue: RunningVenue) -> None:
    """Its SignalR client stops when the negotiation is answered with 503."""
    run_python(
        live_venue, "reconnect.py", json.dumps({"kind": "hub_gap", "seconds": 1, "count": 1}), WATCHDOG_S, "forced"
    )
