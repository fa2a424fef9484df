"""The journal keeps answered changes across a SIGKILL: ids, tags, orders, positions and balances."""

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
from requests import RequestException

from shared.domain.orders.order import Side
from simulator.market.market import find_quote
from simulator.market.scripted import ScriptedMarket
from simulator.market.seeded import SeededMarket
from simulator.venue.journal import Journal
from simulator.venue.records import AccountStage
from simulator.venue.state import VenueState
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ, OPEN_AT, RunningVenue
from tests.fixtures.venue_core import VenueCore

STOP = {"ticks": -4000, "type": 4}


def all_rows(venue: RunningVenue) -> dict[str, Any]:
    account = {"accountId": venue.account_id}
    since = {"startTimestamp": OPEN_AT.isoformat()}
    return {
        "accounts": venue.post("/api/Account/search", onlyActiveAccounts=False)["accounts"],
        "orders": venue.post("/api/Order/search", **account, **since)["orders"],
        "positions": venue.post("/api/Position/searchOpen", **account)["positions"],
        "trades": venue.post("/api/Trade/search", **account, **since)["trades"],
    }


def test_all_rows_survive_a_crash(venue: RunningVenue) -> None:
    for number in range(3):
        venue.place(customTag=f"tag-{number}", size=number + 1, stopLossBracket=STOP)
    venue.place(customTag="tag-rejected", size=0)
    until(lambda: venue.position() == 6)
    before = all_rows(venue)
    venue.restart()

    assert before == all_rows(venue)
    assert 7 == len(before["orders"])


def test_ids_continue_and_tags_stay_used_after_a_crash(venue: RunningVenue) -> None:
    first = venue.place(customTag="once", stopLossBracket=STOP)["orderId"]
    rejected = venue.place(customTag="never", size=0)["orderId"]
    venue.restart()
    again = [venue.place(customTag=tag) for tag in ("once", "once-SL", "never")]
    new = venue.place(customTag="other")["orderId"]

    assert [2, 2, 2] == [answer["errorCode"] for answer in again]
    assert first + 2 == rejected
    assert [rejected + 1, rejected + 2, rejected + 3, rejected + 4] == [*(answer["orderId"] for answer in again), new]


def test_a_market_order_accepted_just_before_a_crash_fills_after_it(venue: RunningVenue) -> None:
    order_id = venue.place(customTag="in-flight")["orderId"]
    venue.restart()

    until(lambda: venue.order(order_id)["status"] == 2)
    assert 1 == venue.position()


def test_a_kill_during_many_orders_loses_no_answered_order(venue: RunningVenue) -> None:
    answered: list[str] = []
    sent: list[str] = []
    venue.log_in()

    def kill_after_30_answers() -> None:
        until(lambda: len(answered) >= 30)
        venue.process.kill()

    killer = threading.Thread(target=kill_after_30_answers)
    killer.start()
    try:
        for number in range(100_000):
            sent.append(f"tag-{number}")
            if venue.place(customTag=sent[-1])["success"]:
                answered.append(sent[-1])
    except RequestException:
        venue.process.wait()
    killer.join()
    venue.start()
    kept = venue.accepted_tags()

    assert answered
    assert len(set(kept)) == len(kept)
    assert set(answered) <= set(kept) <= set(sent)
    until(lambda: venue.position(MNQ) == len(kept))


def test_an_incomplete_last_line_is_cut_off_and_the_rest_kept(venue: RunningVenue) -> None:
    venue.place(customTag="whole")
    until(lambda: venue.position() == 1)
    venue.kill()
    journal = venue.state / "journal.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"market_at":"2026-03-10T15:00:09Z","orders":[{"id":10')
    venue.start()
    venue.place(customTag="after")
    until(lambda: venue.position() == 2)
    venue.restart()

    assert ["whole", "after"] == venue.accepted_tags()


def test_the_journal_of_one_market_is_not_continued_by_another(venue: RunningVenue) -> None:
    venue.kill()
    venue.source = ["--seed", "8"]

    with pytest.raises(AssertionError, match="belongs to the market or version"):
        venue.start()
    assert 2 == venue.process.wait()


def test_a_journal_with_the_field_names_of_another_version_is_refused_and_kept(venue: RunningVenue) -> None:
    venue.kill()
    journal = venue.state / "journal.jsonl"
    journal.write_text(text := journal.read_text().replace(',"format":2', "", 1))

    with pytest.raises(AssertionError, match="belongs to the market or version"):
        venue.start()
    assert text == journal.read_text()


def test_a_journal_without_users_and_stages_is_continued(venue: RunningVenue) -> None:
    venue.kill()
    opened = {
        "id": 1000001, "account_id": venue.account_id, "contract_id": MNQ, "state": "FILLED", "type": "MARKET",
        "side": "BUY", "quantity": 1, "role": "ENTRY", "created_market_at": OPEN_AT.isoformat(),
        "updated_market_at": OPEN_AT.isoformat(), "price": None, "tag": "old", "bracket_ticks": None,
        "parent_order_id": None, "linked_order_id": None, "filled_quantity": 1, "fill_price": 100001,
    }  # fmt: skip
    account = {
        "id": venue.account_id, "name": "PRAC-V2-20001-11071848", "balance": "49999.39", "can_trade": True,
        "bracket_mode": "autoOCO",
    }  # fmt: skip
    changes = [{"accounts": [account]}, {"orders": [opened]}]
    lines = [
        json.dumps({"market": "seed 7", "format": 2}, separators=(",", ":")),
        *(json.dumps({"market_at": OPEN_AT.isoformat()} | row) for row in changes),
    ]
    (venue.state / "journal.jsonl").write_text("".join(f"{line}\n" for line in lines))
    venue.start()
    found = all_rows(venue)

    assert [(venue.account_id, 49_999.39, True)] == [
        (row["id"], row["balance"], row["canTrade"]) for row in found["accounts"]
    ]
    assert [("old", 25000.25)] == [(row["customTag"], row["filledPrice"]) for row in found["orders"]]
    assert venue.place(customTag="new")["success"]


def test_accounts_orders_fills_and_scripts_survive_a_crash(venue_core: VenueCore) -> None:
    venue_core.open_account(AccountStage.COMBINE, 100_000)
    venue_core.move_price("25010.00")
    venue_core.enter(quantity=3, stop_loss=-40, take_profit=80)
    venue_core.partial.append(60.0)
    venue_core.enter(side=Side.SELL, quantity=2)
    state, price = venue_core.venue.state, find_quote(venue_core.venue.market, venue_core.contract(), venue_core.now())
    again = VenueState(Journal(copy_file(venue_core.folder / "journal.jsonl"), "seed 7"), venue_core.now())

    assert (state.accounts, state.orders, state.alive) == (again.accounts, again.orders, again.alive)
    assert (state.fills, state.holdings()) == (again.fills, again.holdings())
    market = ScriptedMarket(SeededMarket(7))
    for script in again.scripts:
        market.play(script)
    assert price == find_quote(market, venue_core.contract(), venue_core.now())


def copy_file(journal: Path) -> Path:
    copy = journal.with_suffix(".copy")
    shutil.copy(journal, copy)
    return copy


def test_a_sigterm_ends_the_simulator_at_once(venue: RunningVenue) -> None:
    venue.place(customTag="last")
    venue.process.terminate()
    venue.process.wait(timeout=60)
    venue.start()

    assert ["last"] == venue.accepted_tags()


def test_an_order_that_cannot_be_written_to_the_journal_is_not_accepted(venue: RunningVenue) -> None:
    venue.log_in()
    process = psutil.Process(venue.process.pid)
    full = (venue.state / "journal.jsonl").stat().st_size + 10
    process.rlimit(psutil.RLIMIT_FSIZE, (full, psutil.RLIM_INFINITY))
    body = {"accountId": venue.account_id, "contractId": MNQ, "type": 2, "side": 0, "size": 1, "customTag": "tag"}
    answer = venue.send("/api/Order/place", body)
    process.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))

    assert 500 == answer.status_code
    assert [] == venue.accepted_tags()
    assert venue.place(customTag="tag")["success"]


def test_a_simulator_that_cannot_write_a_fill_stops_and_fills_after_its_restart(venue: RunningVenue) -> None:
    journal = venue.state / "journal.jsonl"
    venue.place(customTag="tag-1")
    until(lambda: venue.position() == 1)
    order_line = journal.read_bytes().splitlines()[2]
    size_limit = journal.stat().st_size + len(order_line) + 100
    psutil.Process(venue.process.pid).rlimit(psutil.RLIMIT_FSIZE, (size_limit, psutil.RLIM_INFINITY))
    venue.place(customTag="tag-2")
    venue.process.wait(timeout=60)
    venue.start()

    assert ["tag-1", "tag-2"] == venue.accepted_tags()
    until(lambda: venue.position() == 2)
