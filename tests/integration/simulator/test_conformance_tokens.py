"""A conformance run whose token ends in mid-run: it begins a new session, and tells what ended the token."""

import pytest
import requests

from shared.errors import VenueDownError
from simulator.conformance.context import CheckContext
from simulator.conformance.login_checks import VALIDATE, ask_validate
from simulator.conformance.results import ask_safely
from tests.fixtures.order_sessions import StartSession, buy_one, context_of, other_gateway
from tests.fixtures.other_gateway import Document
from tests.fixtures.venue import RunningVenue
from tests.integration.simulator.test_conformance import working_orders

LOGIN, PLACE, CANCEL = "/api/Auth/loginKey", "/api/Order/place", "/api/Order/cancel"
CLOSE, ORDERS, POSITIONS = "/api/Position/closeContract", "/api/Order/search", "/api/Position/searchOpen"


def log_out(venue: RunningVenue, context: CheckContext) -> None:
    """End the token of a run, as another login or a maintenance may."""
    requests.post(f"{venue.url}/api/Auth/logout", headers={"Authorization": f"Bearer {context.rest.token}"}, timeout=60)


def logins(venue: RunningVenue) -> int:
    counts: dict[str, int] = venue.control("GET", "requests").json()["counts"]
    return counts[LOGIN]


def test_orders_closes_and_searches_go_on_in_a_new_session(venue: RunningVenue, start_session: StartSession) -> None:
    session = start_session()
    for path in (PLACE, CANCEL, CLOSE, ORDERS, POSITIONS):
        venue.faults(path=path, kind="end_token", count=1)
    buy_one(session)
    cancelled = session.cancel(session.place_accepted())
    session.close_position()
    session.place_accepted()
    log_out(venue, session.context)
    session.clean_up()

    assert cancelled.is_success
    assert [] == session.problems
    assert (0, []) == (venue.position(), working_orders(venue))
    assert 3 == len(venue.accepted_tags()), "no order is placed twice"


def test_a_new_session_that_is_refused_too_is_an_outage_and_leaves_nothing_to_look_for(
    venue: RunningVenue, start_session: StartSession
) -> None:
    session = start_session()
    venue.faults(path=PLACE, kind="status", status=401, count=None)
    with pytest.raises(VenueDownError, match="the session has ended"):
        session.place()
    venue.remove_faults()
    log_out(venue, session.context)
    venue.faults(path=LOGIN, kind="reject", error_code=3, count=1)
    with pytest.raises(VenueDownError, match="the session has ended, and the login was refused"):
        session.position()
    session.clean_up()

    assert [] == session.problems


def test_a_hub_is_connected_in_a_new_session(venue: RunningVenue) -> None:
    context = context_of(venue)
    log_out(venue, context)
    with context.open_hub("user") as hub:
        assert {} == hub.handshake


def test_a_validate_that_ends_the_old_token_is_one_difference_and_gives_the_next_token(venue: RunningVenue) -> None:
    with other_gateway(venue) as gateway:
        context = context_of(venue, url=gateway.url)
        given = list[str]()

        def end_old(document: Document) -> None:
            log_out(venue, context)
            given.append(document["newToken"])

        gateway.changes["/api/Auth/validate"] = end_old
        before = logins(venue)
        [result] = ask_safely(ask_validate, context)
        accounts = context.rest.rows("/api/Account/search", "accounts", onlyActiveAccounts=False)

    assert (VALIDATE.id, "a new token, the old one is refused") == (result.id, result.observed)
    assert given == [context.rest.token]
    assert [] != accounts
    assert before == logins(venue)
