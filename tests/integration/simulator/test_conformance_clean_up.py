"""The clean-up of a conformance run at a gateway that answers otherwise: nothing is forgotten or sold twice."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from shared.errors import RefusedError, VenueDownError
from simulator.conformance import order_session, rest
from simulator.conformance.options import parse_options
from simulator.conformance.order_session import FILLED, MARKET, SELL, OrderSession
from simulator.conformance.run import start_run
from tests.fixtures.other_gateway import Document, OtherGateway
from tests.fixtures.processes import until
from tests.fixtures.venue import RunningVenue
from tests.integration.simulator.test_conformance import WITH_ORDERS, working_orders
from tests.integration.simulator.test_conformance_orders import start

PLACE, CLOSE = "/api/Order/place", "/api/Position/closeContract"
StartSession = Callable[..., OrderSession]


@pytest.fixture
def start_session(venue: RunningVenue) -> Iterator[StartSession]:
    """Start the order session of a run, at the simulator or at a gateway in front of it."""
    with ExitStack() as ending:

        def start(url: str = "") -> OrderSession:
            arguments = [
                "--url", url or venue.url, "--hub-url", venue.url, "--user", venue.user, *WITH_ORDERS,
                "--clean-up-seconds", "3",
            ]  # fmt: skip
            context = start_run(parse_options(arguments, {"TICKWORK_VENUE_KEY": venue.key}))
            ending.enter_context(context.ending)
            return OrderSession(context)

        yield start


@contextmanager
def other_gateway(venue: RunningVenue) -> Iterator[OtherGateway]:
    gateway = OtherGateway(venue)
    try:
        yield gateway
    finally:
        gateway.close()


def buy_one(session: OrderSession) -> None:
    session.wait_for_status(session.place_accepted(type=MARKET, limitPrice=None), FILLED)


def bodies(venue: RunningVenue, path: str) -> list[Document]:
    return venue.requests(path)


@pytest.mark.parametrize("code", [6, 7])
def test_an_order_that_is_pending_or_failed_unknown_is_looked_for_by_its_tag(
    venue: RunningVenue, start_session: StartSession, code: int
) -> None:
    session = start_session()
    venue.faults(path=PLACE, kind="reject", error_code=code, count=1)
    with pytest.raises(VenueDownError, match=f"no clear answer .200 code {code}"):
        session.place(type=MARKET, limitPrice=None)
    session.clean_up()

    [problem] = session.problems
    assert "got no clear answer, and no search shows it" in problem


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


def test_a_pending_order_that_fills_is_closed(venue: RunningVenue, start_session: StartSession) -> None:
    def answer_pending(document: Document) -> None:
        document |= {"orderId": None, "success": False, "errorCode": 6}

    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        gateway.changes[PLACE] = answer_pending
        with pytest.raises(VenueDownError):
            session.place(type=MARKET, limitPrice=None)
        del gateway.changes[PLACE]
        until(lambda: venue.position() == 1, what="the fill")
        session.clean_up()

    assert [] == session.problems
    assert 0 == venue.position()


@pytest.mark.parametrize(
    ("status", "answer"),
    [(500, {}), (200, {"success": False, "errorCode": 0}), (200, {"success": True, "errorCode": 0, "orderId": None})],
)
def test_an_answer_that_contradicts_itself_refuses_no_order(status: int, answer: Document) -> None:
    reply = rest.GatewayReply(status, {}, b"{}", answer)

    assert not rest.is_refusal(reply)


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


def test_a_close_that_is_pending_for_ever_is_sent_again_and_nothing_is_sold(
    venue: RunningVenue, start_session: StartSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_session, "_WITHIN_S", 0.5)
    session = start_session()
    buy_one(session)
    venue.faults(path=CLOSE, kind="reject", error_code=6, count=1)
    with pytest.raises(VenueDownError, match="200 code 6"):
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
