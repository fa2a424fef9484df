"""The traps of orders, positions and bars, by their number in venue.md section 0."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator.logins import Logins
from simulator.venue.accounts import kind_of, new_account
from simulator.venue.journal import Journal
from simulator.venue.records import AccountRecord, AccountStage, Change
from tests.fixtures.venue import MNQ, OPEN_AT, RunningVenue, StartVenue, write_bars

MINUTE = timedelta(minutes=1)
LONG = {"stopLossBracket": {"ticks": -40, "type": 4}, "takeProfitBracket": {"ticks": 80, "type": 1}}
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


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    """A stepped seeded market."""
    return start_venue(options=["--stepped"])


def fill_entry(venue: RunningVenue, **order: Any) -> int:
    order_id: int = venue.place(**order)["orderId"]
    venue.step(1)
    assert 2 == venue.order(order_id)["status"]
    return order_id


def restart_with_accounts(venue: RunningVenue, *accounts: AccountRecord) -> None:
    """Restart the venue with more accounts, written to its journal in between."""
    venue.kill()
    file = venue.state / "journal.jsonl"
    journal = Journal(file, json.loads(file.read_text().splitlines()[0])["market"])
    list(journal.replay())
    journal.write(Change(market_at=venue.clock.market_origin, accounts=[*accounts]))
    journal.close()
    venue.start()


def test_trap_02_a_rejected_order_leaves_a_row_and_an_id(venue: RunningVenue) -> None:
    answer = venue.place(size=0)

    assert not answer["success"]
    assert (answer["orderId"], 5) == (venue.order(answer["orderId"])["id"], venue.order(answer["orderId"])["status"])


def test_trap_03_the_tag_of_a_rejected_order_stays_used_after_a_restart(venue: RunningVenue) -> None:
    venue.place(size=0, customTag="once")
    venue.restart()
    answer = venue.place(customTag="once")

    assert (2, "Specified custom tag is already in use") == (answer["errorCode"], answer["errorMessage"])


def test_trap_04_the_unsigned_brackets_of_the_official_sample_are_rejected(venue: RunningVenue) -> None:
    answer = venue.place(stopLossBracket={"ticks": 10, "type": 1}, takeProfitBracket={"ticks": 20, "type": 1})

    assert 2 == answer["errorCode"]
    assert "Invalid stop loss" in answer["errorMessage"]


def test_trap_05_brackets_need_auto_oco_on_their_own_account(venue: RunningVenue) -> None:
    other = new_account(20002, "", kind_of(AccountStage.COMBINE, 50_000))
    restart_with_accounts(venue, other)
    venue.set_account(bracket_mode="position")
    answers = [venue.place(accountId=account, **LONG) for account in (venue.account_id, other.id)]

    assert [2, 0] == [answer["errorCode"] for answer in answers]
    assert (
        "Brackets cannot be used with Position Brackets. You must enable Auto OCO Brackets."
        == answers[0]["errorMessage"]
    )


def test_trap_06_only_the_query_shows_suspended_children(venue: RunningVenue) -> None:
    last = venue.order(fill_entry(venue))["filledPrice"]
    order_id = venue.place(type=1, limitPrice=last - 500, **LONG)["orderId"]
    ids = {"accountId": venue.account_id}
    open_ = venue.post("/api/Order/searchOpen", **ids)["orders"]
    working = venue.post("/api/Order/v2/query", filter={**ids, "statuses": [1, 6, 7, 8]})["orders"]

    assert [order_id] == [row["id"] for row in open_]
    assert [(order_id + 2, 8), (order_id + 1, 8), (order_id, 1)] == [(row["id"], row["status"]) for row in working]


def test_trap_07_an_orphaned_stop_opens_an_unprotected_position(start_replay: StartReplay) -> None:
    venue = start_replay("24980.00")
    fill_entry(venue, **LONG)
    venue.post("/api/Position/closeContract", accountId=venue.account_id, contractId=MNQ)
    venue.step(1)
    assert 0 == venue.position()
    venue.step_to(OPEN_AT + 11 * MINUTE)

    assert -1 == venue.position()


def test_trap_08_bars_come_newest_first_and_the_limit_keeps_the_newest(venue: RunningVenue) -> None:
    request = {
        "contractId": MNQ, "live": False, "unit": 2, "unitNumber": 1, "includePartialBar": False,
        "startTime": (OPEN_AT - 10 * MINUTE).isoformat(), "endTime": OPEN_AT.isoformat(),
    }  # fmt: skip
    whole, part = (venue.post("/api/History/retrieveBars", **request, limit=limit)["bars"] for limit in (100, 3))
    live = venue.post("/api/History/retrieveBars", **request | {"live": True}, limit=100)

    assert [OPEN_AT - n * MINUTE for n in range(1, 11)] == [datetime.fromisoformat(row["t"]) for row in whole]
    assert whole[:3] == part
    assert (True, []) == (live["success"], live["bars"])


def test_trap_09_a_trail_is_sent_as_a_level_and_returned_as_a_distance(start_replay: StartReplay) -> None:
    venue = start_replay("25030.00", "25015.00")
    fill_entry(venue)
    order_id = venue.place(type=5, side=1, trailPrice=24990.00)["orderId"]
    at_first = venue.order(order_id)
    ids = {"accountId": venue.account_id, "orderId": order_id}
    modified = venue.post("/api/Order/modify", **ids, trailPrice=24000.00)
    widened = venue.order(order_id)
    venue.post("/api/Order/modify", **ids, trailPrice=24990.00)
    venue.step_to(OPEN_AT + 11 * MINUTE - timedelta(seconds=5))
    ratcheted = venue.order(order_id)
    venue.step_to(OPEN_AT + 12 * MINUTE - timedelta(seconds=5))

    assert (5, 10, 40, 24990) == tuple(at_first[key] for key in ("type", "trailPrice", "trailDistance", "stopPrice"))
    assert modified["success"]
    assert (1000, 4000, 24000) == tuple(widened[key] for key in ("trailPrice", "trailDistance", "stopPrice"))
    assert (10, 40, 25020) == tuple(ratcheted[key] for key in ("trailPrice", "trailDistance", "stopPrice"))
    assert (2, 0) == (venue.order(order_id)["status"], venue.position())


def test_trap_13_the_result_of_a_fill_is_gross_and_null_when_it_opens(venue: RunningVenue) -> None:
    before = balance(venue)
    entry = fill_entry(venue)
    exit_ = fill_entry(venue, side=1)
    closing, opening = venue.post(
        "/api/Trade/search", accountId=venue.account_id, startTimestamp=OPEN_AT.isoformat()
    )["trades"]  # fmt: skip
    gross = (venue.order(exit_)["filledPrice"] - venue.order(entry)["filledPrice"]) * 2

    assert (entry, None) == (opening["orderId"], opening["profitAndLoss"])
    assert (exit_, gross) == (closing["orderId"], closing["profitAndLoss"])
    assert [(0.36, 0.25)] * 2 == [(row["fees"], row["commissions"]) for row in (opening, closing)]
    assert round(before + gross - 2 * 0.61, 2) == balance(venue)


def test_trap_14_a_funded_account_is_called_simulated_too(venue: RunningVenue) -> None:
    restart_with_accounts(venue, new_account(20002, "", kind_of(AccountStage.EXPRESS, 50_000)))
    found = venue.post("/api/Account/search", onlyActiveAccounts=True)["accounts"]

    assert [("PRAC", True), ("EXPRESS", True)] == [(row["name"].split("-")[0], row["simulated"]) for row in found]


def test_no_route_finds_the_account_of_another_user(venue: RunningVenue) -> None:
    venue.kill()
    Logins(venue.user, venue.key, venue.state / "token.key").add_user("Another-Trader", "another-key")
    restart_with_accounts(venue, new_account(20002, "Another-Trader", kind_of(AccountStage.COMBINE, 100_000)))
    order_id = fill_entry(venue)
    own = {"accountId": venue.account_id}
    own_accounts = venue.post("/api/Account/search", onlyActiveAccounts=True)["accounts"]
    venue.user, venue.key = "another-trader", "another-key"
    venue.log_in()
    other_accounts = venue.post("/api/Account/search", onlyActiveAccounts=True)["accounts"]
    bodies: dict[str, dict[str, object]] = {
        "Order/place": {"contractId": MNQ, "type": 2, "side": 0, "size": 1},
        "Order/cancel": {"orderId": order_id}, "Order/modify": {"orderId": order_id, "size": 2},
        "Order/search": {"startTimestamp": OPEN_AT.isoformat()}, "Order/searchOpen": {},
        "Order/searchById": {"orderId": order_id}, "Order/v2/query": {"filter": own},
        "Position/searchOpen": {}, "Position/closeContract": {"contractId": MNQ},
        "Position/partialCloseContract": {"contractId": MNQ, "size": 1},
        "Trade/search": {"startTimestamp": OPEN_AT.isoformat()},
    }  # fmt: skip

    assert [20001] == [row["id"] for row in own_accounts]
    assert [(20002, 100_000)] == [(row["id"], row["balance"]) for row in other_accounts]
    assert other_accounts[0]["name"].startswith("100KTC-")
    assert dict.fromkeys(bodies, 1) == {
        path: venue.post(f"/api/{path}", **own | body)["errorCode"] for path, body in bodies.items()
    }
    assert venue.place(accountId=20002)["success"]


def test_a_partial_fill_is_two_trades_with_an_open_order_between_them_even_after_a_crash(
    start_replay: StartReplay,
) -> None:
    venue = start_replay("25000.00")
    venue.faults(path="partial_fill", seconds=300)
    order_id = venue.place(size=5, customTag="parts", **LONG)["orderId"]
    venue.step(1)
    half, legs = venue.order(order_id), [venue.order(order_id + n) for n in (1, 2)]
    venue.restart()
    restarted = venue.order(order_id)
    venue.step_to(OPEN_AT + 9 * MINUTE)
    trades = venue.post("/api/Trade/search", accountId=venue.account_id, startTimestamp=OPEN_AT.isoformat())["trades"]

    assert (1, 5, 2) == (half["status"], half["size"], half["fillVolume"])
    assert [(1, 2), (1, 2)] == [(leg["status"], leg["size"]) for leg in legs]
    assert half == restarted
    assert (2, 5) == (venue.order(order_id)["status"], venue.order(order_id)["fillVolume"])
    assert [3, 2] == [row["size"] for row in trades]
    assert [5, 5] == [venue.order(order_id + n)["size"] for n in (1, 2)]


def test_join_bid_and_join_ask_rest_at_the_quote(start_replay: StartReplay) -> None:
    venue = start_replay("25000.00")
    bid, ask = (venue.order(venue.place(type=type_, side=side)["orderId"]) for type_, side in ((6, 0), (7, 1)))

    assert (6, 1, 25000.00) == (bid["type"], bid["status"], bid["limitPrice"])
    assert (7, 1, 25000.25) == (ask["type"], ask["status"], ask["limitPrice"])


def test_a_combine_that_reaches_its_loss_limit_can_no_longer_trade(start_replay: StartReplay) -> None:
    venue = start_replay("24990.00", "24975.00", "25000.00")
    combine = new_account(20002, "", kind_of(AccountStage.COMBINE, 50_000))
    restart_with_accounts(venue, combine)
    venue.account_id = combine.id
    too_many = venue.place(size=51)
    entry = fill_entry(venue, size=50, stopLossBracket={"ticks": -400, "type": 4})
    venue.step_to(OPEN_AT + 13 * MINUTE - timedelta(seconds=5))
    after = venue.place()

    assert (2, True) == (too_many["errorCode"], "Maximum position exceeded" in too_many["errorMessage"])
    assert (0, 3) == (venue.position(), venue.order(entry + 1)["status"])
    assert (4, None) == (after["errorCode"], after["orderId"])
    assert [20001] == [row["id"] for row in venue.post("/api/Account/search", onlyActiveAccounts=True)["accounts"]]


def test_positions_are_closed_and_orders_cancelled_at_1510(start_venue: StartVenue) -> None:
    flat_by = datetime(2026, 3, 10, 20, 10, tzinfo=UTC)
    venue = start_venue(market_origin=flat_by - timedelta(minutes=5), options=["--stepped"])
    entry = fill_entry(venue, stopLossBracket={"ticks": -4000, "type": 4})
    venue.step_to(flat_by - timedelta(seconds=60))
    late = venue.place()
    venue.step_to(flat_by + timedelta(seconds=1))

    assert (2, True) == (late["errorCode"], "15:08" in late["errorMessage"])
    assert (0, 3) == (venue.position(), venue.order(entry + 1)["status"])


def balance(venue: RunningVenue) -> float:
    amount: float = venue.post("/api/Account/search", onlyActiveAccounts=True)["accounts"][0]["balance"]
    return amount
