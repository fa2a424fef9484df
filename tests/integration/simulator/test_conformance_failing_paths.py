"""The clean-up of a conformance run while one kind of request fails: what the others allow is cancelled and closed."""

import pytest

from shared.clock import monotonic
from shared.errors import VenueDownError
from simulator.conformance import own_position
from simulator.conformance.order_session import CANCELLED, FILLED, MARKET, OrderSession
from simulator.conformance.own_orders import SELL
from tests.fixtures.order_sessions import StartSession, buy_one, other_gateway
from tests.fixtures.other_gateway import Document
from tests.fixtures.processes import until
from tests.fixtures.venue import RunningVenue
from tests.integration.simulator.test_conformance import working_orders

PLACE, CANCEL, CLOSE = "/api/Order/place", "/api/Order/cancel", "/api/Position/closeContract"
ORDERS, QUERY, BY_ID = "/api/Order/search", "/api/Order/v2/query", "/api/Order/searchById"
POSITIONS = "/api/Position/searchOpen"
FAILURES = pytest.mark.parametrize(
    ("kind", "answer"),
    [("status", "VenueDownError: {} answered 500 without a body"), ("null_list", "RefusedError: {} answered")],
    ids=["500", "null"],
)
_GIVE_UP_S = 30  # of one request, without a limit of the time of the clean-up
BRACKETS = {"stopLossBracket": {"ticks": -400, "type": 4}, "takeProfitBracket": {"ticks": 400, "type": 1}}


def fail(venue: RunningVenue, path: str, kind: str = "status") -> None:
    venue.faults(path=path, kind=kind, count=None)


def buy_with_bracket(session: OrderSession, venue: RunningVenue) -> None:
    session.wait_for_status(session.place_accepted(type=MARKET, limitPrice=None, **BRACKETS), FILLED)
    until(lambda: len(working_orders(venue)) == 2, what="the legs")


@FAILURES
def test_without_order_search_orders_legs_and_position_go_and_the_search_is_a_problem(
    venue: RunningVenue, start_session: StartSession, kind: str, answer: str
) -> None:
    session = start_session()
    buy_with_bracket(session, venue)
    order_id = session.place_accepted()
    fail(venue, ORDERS, kind)
    session.tidy()
    session.clean_up()

    [problem] = session.problems
    assert problem.startswith(f"Order/search gave no list of orders ({answer.format(ORDERS)}")
    assert (0, []) == (venue.position(), working_orders(venue))
    assert CANCELLED == venue.order(order_id)["status"]
    assert [] == [body for body in venue.requests(PLACE) if body["side"] == SELL], "a leg that no search shows may fill"


def test_an_account_is_clean_once_order_search_answers_again(venue: RunningVenue, start_session: StartSession) -> None:
    session = start_session()
    buy_with_bracket(session, venue)
    venue.faults(path=ORDERS, kind="status", count=3)
    session.tidy()

    assert session.stop_reason is None
    assert (0, []) == (venue.position(), working_orders(venue))


def test_without_order_search_an_order_that_has_ended_is_looked_up_once(
    venue: RunningVenue, start_session: StartSession
) -> None:
    session = start_session()
    ended = [session.place_accepted() for _ in range(3)]
    for order_id in ended:
        session.cancel(order_id)
    fail(venue, ORDERS)
    for _ in range(3):
        session.own.search_any()

    assert sorted(ended) == sorted(body["orderId"] for body in venue.requests(BY_ID))
    assert set() == session.own.find_unended()


def test_without_order_search_a_leg_that_ends_after_it_was_shown_is_known_by_its_id(
    venue: RunningVenue, start_session: StartSession
) -> None:
    session = start_session()
    buy_with_bracket(session, venue)
    legs = {row["id"] for row in working_orders(venue)}
    session.own.search_all()
    fail(venue, ORDERS)
    for leg in legs:
        session.cancel(leg)
    rows, _ = session.own.search_any()

    assert dict.fromkeys(legs, CANCELLED) == {row["id"]: row["status"] for row in rows if row["id"] in legs}


def test_without_both_lists_the_orders_that_have_an_id_are_cancelled(
    venue: RunningVenue, start_session: StartSession
) -> None:
    session = start_session()
    order_ids = [session.place_accepted() for _ in range(2)]
    fail(venue, ORDERS)
    fail(venue, QUERY)
    session.clean_up()

    assert {CANCELLED} == {venue.order(order_id)["status"] for order_id in order_ids}
    [problem] = session.problems
    assert f"the account could not be read (VenueDownError: {QUERY} answered 500" in problem


@FAILURES
def test_a_position_that_is_not_listed_is_closed_by_one_close_contract(
    venue: RunningVenue, start_session: StartSession, kind: str, answer: str
) -> None:
    session = start_session()
    buy_with_bracket(session, venue)
    fail(venue, POSITIONS, kind)
    session.tidy()
    session.clean_up()
    venue.remove_faults()

    [problem] = session.problems
    assert problem.startswith(f"Position/searchOpen gave no list of positions ({answer.format(POSITIONS)}")
    until(lambda: venue.position() == 0, what="the close")
    assert [] == working_orders(venue)
    assert 1 == len(venue.requests(CLOSE)), "the second might close what is not ours"
    session.stop_reason = None
    session.tidy()
    assert session.stop_reason is None


def test_a_position_that_is_not_listed_is_not_closed_while_another_order_may_fill(
    venue: RunningVenue, start_session: StartSession
) -> None:
    session = start_session()
    buy_one(session)
    fail(venue, POSITIONS)
    fail(venue, ORDERS)
    session.tidy()
    session.clean_up()

    assert [] == venue.requests(CLOSE)
    assert ["Order/search", "Position/searchOpen"] == [problem.partition(" ")[0] for problem in session.problems]


def test_a_position_that_is_not_listed_once_is_closed_by_an_order(
    venue: RunningVenue, start_session: StartSession
) -> None:
    session = start_session()
    buy_one(session)
    venue.faults(path=POSITIONS, kind="status", count=1)
    session.tidy()

    assert session.stop_reason is None
    assert 0 == venue.position()
    assert [] == venue.requests(CLOSE)


def test_no_close_is_sent_for_unlisted_positions_while_no_order_has_filled(
    venue: RunningVenue, start_session: StartSession
) -> None:
    session = start_session()
    order_id = session.place_accepted()
    fail(venue, POSITIONS)
    session.tidy()
    session.clean_up()

    assert [] == venue.requests(CLOSE)
    assert CANCELLED == venue.order(order_id)["status"]


def test_orders_are_cancelled_though_the_rows_of_the_position_have_an_unknown_form(
    venue: RunningVenue, start_session: StartSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read first, as a closeContract without an answer may be closing it."""

    def make_unknown(document: Document) -> None:
        document["positions"] = [None]

    monkeypatch.setattr(own_position, "SHOWN_WITHIN_S", 0.5)
    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        buy_one(session)
        order_id = session.place_accepted()
        fail(venue, CLOSE)
        with pytest.raises(VenueDownError):
            session.close_position()
        gateway.changes[POSITIONS] = make_unknown
        session.clean_up()

    assert CANCELLED == venue.order(order_id)["status"]
    assert "the account could not be read (TypeError" in session.problems[0]


@pytest.mark.parametrize("kind", ["reject", "status"])
def test_a_position_that_no_order_closes_is_closed_by_close_contract(
    venue: RunningVenue, start_session: StartSession, kind: str
) -> None:
    session = start_session()
    buy_one(session)
    venue.faults(path=PLACE, kind=kind, count=None, status=400)
    session.clean_up()

    assert [] == session.problems
    assert 0 == venue.position()
    assert 1 == len(venue.requests(CLOSE))


def test_an_order_that_may_be_at_work_is_never_doubled_by_a_second_one(
    venue: RunningVenue, start_session: StartSession
) -> None:
    session = start_session()
    buy_one(session)
    fail(venue, CLOSE)
    venue.faults(path=PLACE, kind="lose_answer_after", count=1)
    session.clean_up()

    assert [] == session.problems
    assert 0 == venue.position()
    assert 1 == len([body for body in venue.requests(PLACE) if body["side"] == SELL])


def test_what_has_an_id_is_cancelled_though_every_search_hangs_until_no_time_is_left(
    venue: RunningVenue, start_session: StartSession
) -> None:
    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        buy_with_bracket(session, venue)
        session.own.search_all()  # as each step does: it shows the legs, which no answer named
        for _ in range(3):
            session.place_accepted()
        gateway.delays_s |= dict.fromkeys((ORDERS, QUERY, BY_ID, POSITIONS), 600.0)
        session.clean_up()

        assert [] == working_orders(venue)
    assert session.problems


def test_a_gateway_that_hangs_does_not_keep_a_clean_up_beyond_its_time(
    venue: RunningVenue, start_session: StartSession
) -> None:
    """Each request may take a part of the time that is left, so that those after it are sent too."""
    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        for _ in range(3):
            session.place_accepted()
        gateway.delays_s |= dict.fromkeys((ORDERS, QUERY, CANCEL), 600.0)
        before = monotonic()
        session.clean_up()

        assert monotonic() - before < _GIVE_UP_S
    assert any("the account could not be read" in problem for problem in session.problems)
