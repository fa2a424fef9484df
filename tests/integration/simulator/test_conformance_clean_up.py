"""The clean-up of a conformance run at a gateway that answers otherwise: nothing is forgotten or sold twice."""

import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from shared.errors import RefusedError, VenueDownError
from simulator.conformance import own_position, rest
from simulator.conformance.order_session import CANCELLED, MARKET
from simulator.conformance.order_steps import CANCEL, ask_first_order
from simulator.conformance.own_orders import SELL
from simulator.conformance.results import CannotAskError, CheckVerdict, ask_safely
from tests.fixtures.order_sessions import StartSession, buy_one, other_gateway
from tests.fixtures.other_gateway import Document
from tests.fixtures.processes import until
from tests.fixtures.venue import FaultDetails, RunningVenue
from tests.integration.simulator.test_conformance import working_orders
from tests.integration.simulator.test_conformance_orders import start

PLACE, CLOSE = "/api/Order/place", "/api/Position/closeContract"


def bodies(venue: RunningVenue, path: str) -> list[Document]:
    return venue.requests(path)


# Faults whose answer says neither that a request was accepted nor that it was refused, and that answer.
UNCLEAR: Mapping[str, tuple[str, FaultDetails]] = {
    "200 code 6": ("reject", {"error_code": 6}),
    "200 code 7": ("reject", {"error_code": 7}),
    "408 without a body": ("status", {"status": 408}),
    "429 without a body": ("status", {"status": 429}),
    "503 without a body": ("status", {"status": 503}),
}


@pytest.mark.parametrize("answer", UNCLEAR)
def test_an_order_without_a_clear_answer_is_looked_for_by_its_tag(
    venue: RunningVenue, start_session: StartSession, answer: str
) -> None:
    session = start_session()
    kind, details = UNCLEAR[answer]
    venue.faults(path=PLACE, kind=kind, **details)
    with pytest.raises(VenueDownError, match=f"no clear answer .{answer}"):
        session.place(type=MARKET, limitPrice=None)
    session.clean_up()

    [problem] = session.problems
    assert "got no clear answer, and no search shows it" in problem
    assert 1 == len(bodies(venue, PLACE))


def test_the_id_of_an_order_that_is_pending_is_looked_for(venue: RunningVenue, start_session: StartSession) -> None:
    def answer_pending(document: Document) -> None:
        document |= {"orderId": 999_999, "success": False, "errorCode": 6}

    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        venue.faults(path=PLACE, kind="reject", error_code=6, count=1)  # it is not placed
        gateway.changes[PLACE] = answer_pending
        with pytest.raises(VenueDownError):
            session.place(type=MARKET, limitPrice=None)
        session.clean_up()

    assert ["order 999999 got an id, and no search shows it"] == session.problems


@pytest.mark.parametrize("status", [200, 408, 429, 503])
def test_an_order_without_a_clear_answer_that_fills_is_closed(
    venue: RunningVenue, start_session: StartSession, status: int
) -> None:
    def answer_pending(document: Document) -> None:
        document |= {"orderId": None, "success": False, "errorCode": 6}

    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        if status == 200:
            gateway.changes[PLACE] = answer_pending
        else:
            gateway.statuses[PLACE] = status
        with pytest.raises(VenueDownError):
            session.place(type=MARKET, limitPrice=None)
        gateway.changes.clear()
        gateway.statuses.clear()
        until(lambda: venue.position() == 1, what="the fill")
        session.clean_up()

    assert [] == session.problems
    assert 0 == venue.position()


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (408, {}),
        (429, {}),
        (500, {}),
        (200, {"success": False, "errorCode": 0}),
        (200, {"success": True, "errorCode": 0, "orderId": None}),
    ],
)
def test_an_outage_or_an_answer_that_contradicts_itself_refuses_no_order(status: int, answer: Document) -> None:
    reply = rest.GatewayReply(status, {}, b"{}", answer)

    assert not rest.is_refusal(reply)


@pytest.mark.parametrize(("status", "answer"), [(400, {}), (401, None), (200, {"success": False, "errorCode": 2})])
def test_a_clear_answer_refuses_an_order(status: int, answer: Document | None) -> None:
    assert rest.is_refusal(rest.GatewayReply(status, {}, b"", answer))


def test_a_position_is_closed_though_the_history_shows_its_contract_as_a_symbol(
    venue: RunningVenue, start_session: StartSession
) -> None:
    def show_symbols(document: Document) -> None:
        for row in document.get("orders") or document.get("positions") or []:
            row["contractId"] = "F.US.MNQ"

    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        buy_one(session)
        gateway.changes |= dict.fromkeys(("/api/Order/search", "/api/Position/searchOpen"), show_symbols)
        session.clean_up()

    assert [] == session.problems
    assert 0 == venue.position()


def test_a_close_without_an_answer_is_waited_for_and_nothing_is_sold(
    venue: RunningVenue, start_session: StartSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The close reaches the venue long after its answer was given up, and a sale would open a position."""
    monkeypatch.setattr(rest, "_TIMEOUT_S", 1)
    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        buy_one(session)
        gateway.delays_s |= {CLOSE: 2.0, PLACE: 3.0}
        session.close_position()
        session.tidy()
        session.clean_up()

    assert [] == session.problems
    assert 0 == venue.position()
    assert [MARKET] == [body["type"] for body in bodies(venue, PLACE)]


def test_a_run_that_is_interrupted_while_it_closes_sells_nothing(venue: RunningVenue, tmp_path: Path) -> None:
    venue.faults(path=CLOSE, kind="delay_before", seconds=4, count=1)
    process = start(venue, tmp_path)
    try:
        until(lambda: bodies(venue, CLOSE) != [], what="the close", every=0.01)
        placed = len(bodies(venue, PLACE))
        venue.faults(path=PLACE, kind="delay_before", seconds=3, count=None)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()

    assert "NOT CLEANED UP" not in output
    assert 0 == venue.position()
    assert placed == len(bodies(venue, PLACE))


@pytest.mark.parametrize("answer", UNCLEAR)
def test_a_close_without_a_clear_answer_is_sent_again_and_nothing_is_sold(
    venue: RunningVenue, start_session: StartSession, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(own_position, "SHOWN_WITHIN_S", 0.5)
    session = start_session()
    buy_one(session)
    kind, details = UNCLEAR[answer]
    venue.faults(path=CLOSE, kind=kind, **details)
    with pytest.raises(VenueDownError, match=answer):
        session.close_position()
    session.tidy()

    assert session.stop_reason is None
    assert 0 == venue.position()
    assert [MARKET] == [body["type"] for body in bodies(venue, PLACE)]
    assert 2 == len(bodies(venue, CLOSE))


def test_a_close_that_is_refused_is_done_by_an_order(venue: RunningVenue, start_session: StartSession) -> None:
    session = start_session()
    buy_one(session)
    venue.faults(path=CLOSE, kind="reject", error_code=5, count=None)
    with pytest.raises(RefusedError, match="200 code 5"):
        session.close_position()
    session.tidy()

    assert session.stop_reason is None
    assert 0 == venue.position()


def test_an_order_that_fills_after_the_close_does_not_count_as_closed(
    venue: RunningVenue, start_session: StartSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fills between the read of the position, which is flat, and the read of the orders, which have its fill."""
    monkeypatch.setattr(own_position, "SHOWN_WITHIN_S", 1)
    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        buy_one(session)
        tags = [session.own.make_tag()]

        def fill_another(document: Document) -> None:
            if not document["positions"] and tags:
                venue.trade(customTag=tags.pop())

        gateway.changes["/api/Position/searchOpen"] = fill_another
        with pytest.raises(CannotAskError, match="not closed"):
            session.close_position()
        session.tidy()

    assert [] == tags
    assert session.stop_reason is None
    assert 0 == venue.position()


def test_an_order_that_cannot_be_cancelled_keeps_no_position_open(
    venue: RunningVenue, start_session: StartSession
) -> None:
    session = start_session()
    order_id = session.place_accepted()
    buy_one(session)
    venue.faults(path="/api/Order/cancel", kind="status", status=503, count=None)
    session.clean_up()

    assert [f"order {order_id} is still working"] == session.problems
    assert 0 == venue.position()


def test_a_cancel_that_cannot_be_served_is_no_difference(venue: RunningVenue, start_session: StartSession) -> None:
    session = start_session()
    venue.faults(path="/api/Order/cancel", kind="status", status=503)
    results = {row.id: row for row in ask_safely(ask_first_order, session)}
    session.clean_up()

    assert [] == [row for row in results.values() if row.verdict is CheckVerdict.DIFFERS]
    assert "answered 503" in results[CANCEL.id].observed
    assert [] == session.problems


def test_a_sale_of_the_clean_up_that_fills_late_is_not_sent_twice(
    venue: RunningVenue, start_session: StartSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "_TIMEOUT_S", 1)
    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        buy_one(session)
        gateway.delays_s[PLACE] = 1.5
        session.clean_up()

    assert [] == session.problems
    assert 0 == venue.position()
    assert 1 == len([body for body in bodies(venue, PLACE) if body["side"] == SELL])
    assert [] == working_orders(venue)


def test_a_clean_up_begins_no_wait_for_the_limit_that_is_longer_than_its_time(
    venue: RunningVenue, start_session: StartSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = list[float]()
    session = start_session()
    order_id = session.place_accepted()
    monkeypatch.setattr(session.context.rest.budget, "wait", waits.append)
    venue.faults(path="/api/Order/search", kind="status", status=429, count=None)
    session.clean_up()

    assert [] == waits
    assert "RateLimitedError" in session.problems[0]
    venue.remove_faults()
    session.tidy()
    assert CANCELLED == venue.order(order_id)["status"]


def test_what_was_not_sent_yet_when_a_run_is_interrupted_is_not_looked_for(
    venue: RunningVenue, start_session: StartSession
) -> None:
    """The signal comes while an order, or closeContract, waits for the limit of requests."""
    session = start_session()
    buy_one(session)
    for send in (session.place, session.close_position):
        with pytest.MonkeyPatch.context() as changing:
            changing.setattr(session.context.rest.budget, "wait_for_turn", interrupt)
            with pytest.raises(KeyboardInterrupt):
                send()
    session.clean_up()

    assert [] == session.problems
    assert 0 == venue.position()
    assert [] == bodies(venue, CLOSE), "an order closes it, as no other may be closing it"


def interrupt(_: str) -> None:
    raise KeyboardInterrupt
