"""Stops and targets fill on the way the recorded prices go, each ends the other, also while the program is down."""

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
PlayPrices = Callable[..., RunningVenue]


@pytest.fixture
def play(start_venue: StartVenue, tmp_path: Path) -> PlayPrices:
    """Begin a replay that stands at 25000.00 for ten minutes and then visits `prices`, one a minute, flat bars.

    Its time stands too, until the test moves it on.
    """

    def start(*prices: str) -> RunningVenue:
        path = ["25000.00"] * 10 + [*prices]
        rows = [((OPEN_AT + n * MINUTE).isoformat(), price, price, price, price, 5) for n, price in enumerate(path)]
        file = write_bars(tmp_path / "mnqh6-1m-2026-03.csv", rows)
        return start_venue(replay=file, market_origin=OPEN_AT + timedelta(seconds=5), options=["--stepped"])

    return start


def enter(venue: RunningVenue, **order: Any) -> int:
    order_id: int = venue.place(**order)["orderId"]
    venue.step(1)
    assert 2 == venue.order(order_id)["status"]
    return order_id


def legs(venue: RunningVenue, entry: int) -> tuple[int, int]:
    return venue.order(entry + 1)["status"], venue.order(entry + 2)["status"]


def test_a_market_buy_pays_the_ask_and_a_market_sell_gets_the_bid(play: PlayPrices) -> None:
    venue = play("25000.00")
    bought, sold = enter(venue), enter(venue, side=1)

    # A bar that does not move counts as one that rose: it falls first, so the last trade was at the bid.
    assert 25000.25 == venue.order(bought)["filledPrice"]
    assert 25000.00 == venue.order(sold)["filledPrice"]


def test_a_stop_that_is_reached_closes_the_long_and_ends_its_target(play: PlayPrices) -> None:
    venue = play("24995.00", "24990.00", "24980.00")
    entry = enter(venue, **LONG)
    venue.step_to(OPEN_AT + 12 * MINUTE - timedelta(seconds=1))

    assert (2, 3) == legs(venue, entry)
    assert 24990.00 == venue.order(entry + 1)["filledPrice"]
    assert 0 == venue.position()


def test_a_stop_jumped_over_fills_where_the_market_is(play: PlayPrices) -> None:
    venue = play("24900.00")
    entry = enter(venue, **LONG)
    venue.step_to(OPEN_AT + 10 * MINUTE + timedelta(seconds=30))

    assert (2, 3) == legs(venue, entry)
    assert 24900.00 == venue.order(entry + 1)["filledPrice"]


def test_a_target_only_touched_does_not_fill_and_one_gone_through_does(play: PlayPrices) -> None:
    venue = play("25020.25", "25020.50")
    entry = enter(venue, **LONG)
    venue.step_to(OPEN_AT + 11 * MINUTE - timedelta(seconds=1))
    touched = legs(venue, entry)
    venue.step_to(OPEN_AT + 12 * MINUTE - timedelta(seconds=1))

    assert (1, 1) == touched
    assert (3, 2) == legs(venue, entry)
    assert 25020.25 == venue.order(entry + 2)["filledPrice"]
    assert 0 == venue.position()


def test_a_short_has_its_stop_above_and_its_target_below(play: PlayPrices) -> None:
    venue = play("25005.00", "25011.00")
    entry = enter(venue, **SHORT)
    venue.step_to(OPEN_AT + 12 * MINUTE - timedelta(seconds=1))

    assert (2, 3) == legs(venue, entry)
    assert 25010.00 <= venue.order(entry + 1)["filledPrice"] <= 25011.25
    assert 0 == venue.position()


def test_a_bar_that_holds_both_ends_at_whichever_its_path_meets_first(start_venue: StartVenue, tmp_path: Path) -> None:
    still = ("25000.00", "25000.00", "25000.00", "25000.00", 5)
    quiet = [((OPEN_AT + n * MINUTE).isoformat(), *still) for n in range(10)]
    wild = ((OPEN_AT + 10 * MINUTE).isoformat(), "25000.00", "25050.00", "24950.00", "25001.00", 5)
    file = write_bars(tmp_path / "mnqh6-1m-2026-03.csv", [*quiet, wild])
    venue = start_venue(replay=file, market_origin=OPEN_AT, options=["--stepped"])
    entry = enter(venue, **LONG)
    venue.step_to(OPEN_AT + 11 * MINUTE)

    assert (2, 3) == legs(venue, entry), "a bar that closed higher went to its low first"
    assert venue.order(entry)["filledPrice"] - 10 == venue.order(entry + 1)["filledPrice"]


def test_an_orphaned_stop_opens_a_position_as_it_would_at_the_venue(play: PlayPrices) -> None:
    venue = play("24980.00")
    enter(venue, **LONG)
    venue.post("/api/Position/closeContract", accountId=venue.account_id, contractId=MNQ)
    venue.step(1)
    assert 0 == venue.position()
    venue.step_to(OPEN_AT + 11 * MINUTE)

    assert -1 == venue.position()


def test_what_filled_while_it_was_down_was_filled_at_its_own_time(play: PlayPrices) -> None:
    venue = play("24995.00", "24980.00", "24970.00", "24960.00")
    entry = enter(venue, **LONG)
    venue.skip_to(OPEN_AT + 14 * MINUTE)
    stop = venue.order(entry + 1)

    assert 2 == stop["status"]
    filled_at = datetime.fromisoformat(stop["updateTimestamp"]).astimezone(UTC)
    assert OPEN_AT + 11 * MINUTE <= filled_at <= OPEN_AT + 12 * MINUTE
    (fill,) = [
        row
        for row in venue.post(
            "/api/Trade/search", accountId=venue.account_id, startTimestamp=(OPEN_AT + 11 * MINUTE).isoformat()
        )["trades"]
        if row["orderId"] == stop["id"]
    ]
    assert stop["filledPrice"] == fill["price"]


def test_a_stop_fills_soon_after_its_time_while_nobody_asks(play: PlayPrices) -> None:
    venue = play("24980.00", "24980.00")
    enter(venue, **LONG)
    journal = venue.state / "journal.jsonl"
    venue.options.clear()  # from now on its time runs by itself, and fast
    venue.clock = replace(venue.clock, speed=60)
    venue.skip_to(OPEN_AT + 10 * MINUTE - timedelta(seconds=30))
    # Read from its file: whatever we asked it would make it look at the market.
    until(lambda: journal.read_text().count('"gross_pnl"') == 2)
    trades = venue.post("/api/Trade/search", accountId=venue.account_id, startTimestamp=OPEN_AT.isoformat())["trades"]

    assert [1, 0] == [row["side"] for row in trades]
    assert 24980.00 == trades[0]["price"]
