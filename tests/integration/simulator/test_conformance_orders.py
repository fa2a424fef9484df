"""`tickwork conformance --orders` leaves no order and no position behind, or says so loudly, whatever happens."""

import json
import signal
import subprocess
from pathlib import Path
from threading import Event

import pytest

from shared.clock import monotonic
from simulator.conformance import budget
from simulator.conformance.order_session import OrderSession
from tests.fixtures.order_sessions import WITH_ORDERS, context_of, other_gateway
from tests.fixtures.other_gateway import Document
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ, RunningVenue
from tests.integration.simulator.test_conformance import (
    PROGRAM,
    arguments_of,
    environment_of,
    run,
    working_orders,
)

SOON = ("--clean-up-seconds", "3")


def start(venue: RunningVenue, folder: Path, *options: str) -> "subprocess.Popen[str]":
    """Start a run with orders, for a test that interrupts it."""
    return subprocess.Popen(
        [*PROGRAM, *arguments_of(venue, folder, *WITH_ORDERS, *options)], env=environment_of(venue),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def trades(venue: RunningVenue) -> list[object]:
    """Return every trade of the account."""
    since = "2000-01-01T00:00:00Z"
    found: list[object] = venue.post("/api/Trade/search", accountId=venue.account_id, startTimestamp=since)["trades"]
    return found


def test_no_more_orders_are_placed_while_one_cannot_be_cancelled(venue: RunningVenue, tmp_path: Path) -> None:
    venue.faults(path="/api/Order/cancel", kind="reject", error_code=5, count=6)

    found = run(venue, tmp_path, *WITH_ORDERS, "--json")

    assert "no more orders are placed" in found.observed("q2.tag_length")
    assert "orders.clean_up" in found.ids("same")
    assert [] == working_orders(venue)
    assert 2 == venue.get_status()["order_count"], "the first order, and the one with its tag"


@pytest.mark.parametrize(
    ("number", "position"), [(signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGQUIT, 1), (signal.SIGINT, -1)], ids=str
)
def test_an_interrupted_run_closes_what_it_opened(
    venue: RunningVenue, tmp_path: Path, number: signal.Signals, position: int
) -> None:
    """The first position is long; short is the end of the reversal, after closeContract has closed another one."""
    process = start(venue, tmp_path)
    try:
        until(lambda: venue.position() == position, what="the position", every=0.01)
        process.send_signal(number)
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()

    assert 0 == venue.position(), output
    assert [] == working_orders(venue)
    assert 2 == process.returncode
    assert "interrupted" in (tmp_path / "report.md").read_text() or "interrupted" in output


def test_a_clean_up_does_not_ask_the_trades_which_may_be_listed_late(venue: RunningVenue, tmp_path: Path) -> None:
    venue.faults(path="/api/Trade/search", kind="null_list", count=None)
    venue.faults(path="/api/Position/closeContract", kind="reject", count=None)

    found = run(venue, tmp_path, *WITH_ORDERS, "--json")

    assert "orders.clean_up" in found.ids("same")
    assert 0 == venue.position()
    assert [] == working_orders(venue)


def test_a_position_that_cannot_be_closed_is_said_loudly(venue: RunningVenue, tmp_path: Path) -> None:
    process = start(venue, tmp_path, *SOON)
    try:
        until(lambda: venue.position() != 0, what="the first position", every=0.01)
        for path in ("/api/Order/place", "/api/Position/closeContract"):
            venue.faults(path=path, kind="reject", count=None)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=240)
    finally:
        process.kill()

    assert f"NOT CLEANED UP: a position of {venue.position()} in {MNQ} is still open" in output


def test_a_list_of_positions_that_lags_behind_our_fills_is_no_clean_account(
    venue: RunningVenue, tmp_path: Path
) -> None:
    venue.faults(path="/api/Position/searchOpen", kind="stale_search_open", count=None)  # empty, as before the run
    process = start(venue, tmp_path, *SOON)
    try:
        until(lambda: trades(venue) != [], what="the first fill", every=0.01)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=240)
    finally:
        process.kill()

    assert f"NOT CLEANED UP: our fills make +1 in {MNQ}, and no position is listed" in output


@pytest.mark.parametrize("is_placed", [True, False])
def test_an_order_without_an_answer_is_cancelled_or_said_loudly(
    venue: RunningVenue, tmp_path: Path, *, is_placed: bool
) -> None:
    """A lost answer may be that of an order at work: only a search that shows its tag can tell."""
    venue.faults(path="/api/Order/place", kind="lose_answer_after" if is_placed else "lose_before", count=1)

    output = start(venue, tmp_path, *SOON).communicate(timeout=240)[0]

    assert ("got no clear answer, and no search shows it" in output) is not is_placed
    assert [] == working_orders(venue)


def test_after_an_order_that_the_rate_limit_may_have_refused_no_more_are_placed(
    venue: RunningVenue, tmp_path: Path
) -> None:
    venue.faults(path="/api/Order/place", kind="status", status=429, count=1)

    found = run(venue, tmp_path, *WITH_ORDERS, *SOON, "--json")

    assert set() == found.ids("differs"), "a 429 says nothing about how a question is answered"
    assert 2 == found.code
    assert "got no clear answer (429 without a body)" in found.observed("q1.visibility")
    assert "no more orders are placed" in found.observed("q2.tag_length")
    assert "got no clear answer, and no search shows it" in found.observed("orders.clean_up")
    assert 1 == len(venue.requests("/api/Order/place"))


def test_a_difference_stays_in_the_report_though_its_step_is_interrupted(venue: RunningVenue, tmp_path: Path) -> None:
    """It waits until its step has ended: only then is it known that orders are still taken."""
    is_reached = Event()

    def answer_otherwise(document: Document) -> None:
        if not document["success"]:
            document["errorMessage"] = "Another text."

    with other_gateway(venue) as gateway:

        def wait_for_the_signal(_: Document) -> None:
            is_reached.set()
            gateway.is_over.wait(60)

        gateway.changes |= {"/api/Order/place": answer_otherwise, "/api/Order/cancel": wait_for_the_signal}
        urls = ("--url", gateway.url, "--hub-url", venue.url)
        process = start(venue, tmp_path, *urls, *SOON, "--json")
        try:
            until(is_reached.is_set, what="the cancel after the tag was used again")
            process.send_signal(signal.SIGINT)
            gateway.changes.clear()
            output, _ = process.communicate(timeout=120)
        finally:
            process.kill()

    document, _ = json.JSONDecoder().raw_decode(output, output.index("{\n"))
    assert {"q1.tag_in_use": "200 code 2 'Another text.'"} == {
        row["id"]: row["observed"] for row in document["rows"] if row["verdict"] == "differs"
    }
    assert "Another text." in (tmp_path / "report.md").read_text()


def test_a_hub_that_closes_and_a_session_that_ends_while_a_position_is_open_are_no_difference(
    venue: RunningVenue, tmp_path: Path
) -> None:
    process = start(venue, tmp_path, "--json")
    try:
        until(lambda: venue.position() != 0, what="the first position", every=0.01)
        venue.faults(path="hub_drop", count=1)
        venue.faults(path="/api/Trade/search", kind="end_token", count=1)
        output, _ = process.communicate(timeout=240)
    finally:
        process.kill()
    document, _ = json.JSONDecoder().raw_decode(output, output.index("{\n"))
    rows = {row["id"]: row for row in document["rows"]}

    assert [] == [row for row in rows.values() if row["verdict"] == "differs"]
    assert "the hub closed: a cut connection" in rows["s7.event_fields"]["observed"]
    assert {"same"} == {rows[id_]["verdict"] for id_ in ("q13.reversal", "s5.unknown_order", "orders.clean_up")}
    assert [] == working_orders(venue)


def test_the_hub_is_served_while_the_request_budget_waits(venue: RunningVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "OTHER_LIMIT", (170, 1.0))
    context = context_of(venue, *WITH_ORDERS, *SOON)
    with context.ending:
        session = OrderSession(context)
        session.place_accepted()
        before = len(session.hub.events)
        context.rest.budget.wait_for_window("/api/Account/search")

        assert len(session.hub.events) > before


def test_a_closed_hub_is_waited_at_and_not_asked_again_and_again(venue: RunningVenue) -> None:
    context = context_of(venue)
    with context.ending, context.open_hub("user") as hub:
        venue.faults(path="hub_drop", count=1)
        while hub.closed_with is None:
            hub.listen(0.1)
        before = monotonic()
        hub.listen(0.3)

        assert monotonic() - before >= 0.3


def test_a_position_that_close_contract_leaves_open_is_closed_by_an_order(venue: RunningVenue, tmp_path: Path) -> None:
    venue.faults(path="/api/Position/closeContract", kind="reject", count=None)

    found = run(venue, tmp_path, *WITH_ORDERS, "--json")

    assert 1 == found.code, [row for row in found.rows if row["is_failed"]]
    assert 0 == venue.position()
    assert "orders.clean_up" in found.ids("same")
