"""Stops and targets fill along the path of the prices, each cancels the other, also while the program is down."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ, OPEN_AT, RunningVenue, StartVenue, write_bars

MINUTE = timedelta(minutes=1)
LONG = {"stopLossBracket": {"ticks": -40, "type": 4}, "takeProfitBracket": {"ticks": 80, "type": 1}}
SHORT = {"side": 1, "stopLossBracket": {"ticks": 40, "type": 4}, "takeProfitBracket": {"ticks": -80, "type": 1}}
StartReplay = Callable[..., RunningVenue]


@pytest.fixture
def start_replay(start_venue: StartVenue, tmp_path: Path) -> StartReplay:
    """Start a stepped replay: ten minutes at 25000.00, then a flat one-minute bar at each of `prices`."""

    def start(*prices: str) -> RunningVenue:
        path = ["25000.00"] * 10 + [*prices]
        rows = [((OPEN_AT + n * MINUTE).isoformat(), price, price, price, price, 5) for n, price in enumerate(path)]
        file = write_bars(tmp_path / "mnqh6-1m-2026-03.csv", rows)
        return start_venue(replay=file, market_origin=OPEN_AT + timedelta(seconds=5), options=["--stepped"])

    return start


def fill_entry(venue: RunningVenue, **order: Any) -> int:
    order_id: int = venue.place(**order)["orderId"]
    venue.step(1)
    assert 2 == venue.order(order_id)["status"]
    return order_id


def leg_statuses(venue: RunningVenue, entry: int) -> tuple[int, int]:
    return venue.order(entry + 1)["status"], venue.order(entry + 2)["status"]


def test_a_market_buy_pays_the_ask_and_a_market_sell_gets_the_bid(start_replay: StartReplay) -> None:
    venue = start_replay("25000.00")
    bought, sold = fill_entry(venue), fill_entry(venue, side=1)

    # A flat bar counts as a rising one: it falls first, so the last trade was at the bid.
    assert 25000.25 == venue.order(bought)["filledPrice"]
    assert 25000.00 == venue.order(sold)["filledPrice"]


def test_a_stop_that_is_reached_closes_the_long_and_cancels_its_target(start_replay: StartReplay) -> None:
    venue = start_replay("24995.00", "24990.00", "24980.00")
    entry = fill_entry(venue, **LONG)
    venue.step_to(OPEN_AT + 12 * MINUTE - timedelta(seconds=1))

    assert (2, 3) == leg_statuses(venue, entry)
    assert 24990.00 == venue.order(entry + 1)["filledPrice"]
    assert 0 == venue.position()


def test_a_stop_the_price_gaps_through_fills_at_the_market(start_replay: StartReplay) -> None:
    venue = start_replay("24900.00")
    entry = fill_entry(venue, **LONG)
    venue.step_to(OPEN_AT + 10 * MINUTE + timedelta(seconds=30))

    assert (2, 3) == leg_statuses(venue, entry)
    assert 24900.00 == venue.order(entry + 1)["filledPrice"]


def test_a_target_fills_once_its_price_is_traded_through_and_not_at_a_touch(start_replay: StartReplay) -> None:
    venue = start_replay("25020.25", "25020.50")
    entry = fill_entry(venue, **LONG)
    venue.step_to(OPEN_AT + 11 * MINUTE - timedelta(seconds=1))
    touched = leg_statuses(venue, entry)
    venue.step_to(OPEN_AT + 12 * MINUTE - timedelta(seconds=1))

    assert (1, 1) == touched
    assert (3, 2) == leg_statuses(venue, entry)
    assert 25020.25 == venue.order(entry + 2)["filledPrice"]
    assert 0 == venue.position()


def test_a_short_has_its_stop_above_and_its_target_below(start_replay: StartReplay) -> None:
    venue = start_replay("25005.00", "25011.00")
    entry = fill_entry(venue, **SHORT)
    venue.step_to(OPEN_AT + 12 * MINUTE - timedelta(seconds=1))

    assert (2, 3) == leg_statuses(venue, entry)
    assert 25010.00 <= venue.order(entry + 1)["filledPrice"] <= 25011.25
    assert 0 == venue.position()


def test_a_bar_that_contains_stop_and_target_fills_the_first_on_its_path(
    start_venue: StartVenue, tmp_path: Path
) -> None:
    flat = ("25000.00", "25000.00", "25000.00", "25000.00", 5)
    quiet = [((OPEN_AT + n * MINUTE).isoformat(), *flat) for n in range(10)]
    wild = ((OPEN_AT + 10 * MINUTE).isoformat(), "25000.00", "25050.00", "24950.00", "25001.00", 5)
    file = write_bars(tmp_path / "mnqh6-1m-2026-03.csv", [*quiet, wild])
    venue = start_venue(replay=file, market_origin=OPEN_AT, options=["--stepped"])
    entry = fill_entry(venue, **LONG)
    venue.step_to(OPEN_AT + 11 * MINUTE)

    assert (2, 3) == leg_statuses(venue, entry), "a bar that closes higher goes to its low first"
    assert venue.order(entry)["filledPrice"] - 10 == venue.order(entry + 1)["filledPrice"]


def test_an_orphaned_stop_opens_a_position_as_at_the_venue(start_replay: StartReplay) -> None:
    venue = start_replay("24980.00")
    fill_entry(venue, **LONG)
    venue.post("/api/Position/closeContract", accountId=venue.account_id, contractId=MNQ)
    venue.step(1)
    assert 0 == venue.position()
    venue.step_to(OPEN_AT + 11 * MINUTE)

    assert -1 == venue.position()


def test_an_order_that_fills_during_downtime_fills_at_its_own_market_time(start_replay: StartReplay) -> None:
    venue = start_replay("24995.00", "24980.00", "24970.00", "24960.00")
    entry = fill_entry(venue, **LONG)
    venue.skip_to(OPEN_AT + 14 * MINUTE)
    stop = venue.order(entry + 1)

    assert 2 == stop["status"]
    (fill,) = [
        row
        for row in venue.post(
            "/api/Trade/search", accountId=venue.account_id, startTimestamp=(OPEN_AT + 11 * MINUTE).isoformat()
        )["trades"]
        if row["orderId"] == stop["id"]
    ]
    filled_at = datetime.fromisoformat(fill["creationTimestamp"]).astimezone(UTC)
    assert OPEN_AT + 11 * MINUTE <= filled_at <= OPEN_AT + 12 * MINUTE
    assert stop["filledPrice"] == fill["price"]


def test_a_stop_fills_soon_after_its_time_without_any_request(start_replay: StartReplay) -> None:
    venue = start_replay("24980.00", "24980.00")
    fill_entry(venue, **LONG)
    journal = venue.state / "journal.jsonl"
    venue.options.clear()  # from now on market time runs by itself, at speed 60
    venue.clock = replace(venue.clock, speed=60)
    venue.skip_to(OPEN_AT + 10 * MINUTE - timedelta(seconds=30))
    # Read the journal: any request would make the venue match its orders.
    until(lambda: journal.read_text().count('"gross_pnl"') == 2)
    trades = venue.post("/api/Trade/search", accountId=venue.account_id, startTimestamp=OPEN_AT.isoformat())["trades"]

    assert [1, 0] == [row["side"] for row in trades]
    assert 24980.00 == trades[0]["price"]
