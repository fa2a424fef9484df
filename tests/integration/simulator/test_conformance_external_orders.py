"""A conformance run and what is not its own: it cancels and closes none of it, and says that it is there."""

import pytest

from shared.errors import SettingsError, VenueDownError
from simulator.conformance import bracket_steps, order_run, own_position
from simulator.conformance.order_session import FILLED, LIMIT, MARKET
from simulator.conformance.own_orders import SELL
from simulator.conformance.results import Check, CheckVerdict, ask_safely
from tests.fixtures.order_sessions import WITH_ORDERS, StartSession, buy_one, context_of
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ, RunningVenue
from tests.integration.simulator.test_conformance import working_orders

CLOSE = "/api/Position/closeContract"


def external(order_id: int) -> str:
    return f"order {order_id} in {MNQ} is not of this run and still works"


def test_an_order_of_another_that_still_works_is_said_and_not_cancelled(
    venue: RunningVenue, start_session: StartSession
) -> None:
    """As the platform's own bracket legs under Position Brackets: without a tag and without a parent."""
    session = start_session()
    order_id = venue.place(type=1, limitPrice=20_000)["orderId"]
    session.place_accepted()
    session.tidy()
    session.clean_up()

    assert [external(order_id)] == session.problems
    assert f"{external(order_id)}: no more orders are placed" == session.stop_reason
    assert [order_id] == [row["id"] for row in working_orders(venue)]


def test_a_close_is_not_sent_again_while_the_order_of_the_first_may_still_fill(
    venue: RunningVenue, start_session: StartSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would sell twice once the first one fills, after the run has called the account clean."""
    monkeypatch.setattr(own_position, "SHOWN_WITHIN_S", 0.5)
    session = start_session()
    buy_one(session)
    venue.faults(path=CLOSE, kind="reject", error_code=6, count=1)  # OrderPending
    price = int(session.last_price) + 100
    order_id = venue.place(type=LIMIT, side=SELL, limitPrice=price)["orderId"]  # in its place
    with pytest.raises(VenueDownError, match="200 code 6"):
        session.close_position()
    session.tidy()
    session.clean_up()

    assert [external(order_id), f"a position of 1 in {MNQ} is still open"] == session.problems
    assert 1 == len(venue.requests(CLOSE))
    venue.close_position()
    session.tidy()
    assert f"{external(order_id)}: no more orders are placed" == session.stop_reason, "it may still fill"
    venue.post("/api/Order/cancel", accountId=venue.account_id, orderId=order_id)
    session.stop_reason = None
    session.tidy()
    assert session.stop_reason is None


def test_an_order_of_close_contract_that_fills_after_our_own_stop_is_closed_as_ours(
    venue: RunningVenue, start_session: StartSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our stop has closed the position, so the order, which was sent to close it, opens another one."""
    monkeypatch.setattr(own_position, "SHOWN_WITHIN_S", 0.5)
    session = start_session()
    buy_one(session)
    venue.faults(path=CLOSE, kind="reject", error_code=6, count=1)  # OrderPending
    price = int(session.last_price) + 100
    order_id = venue.place(type=LIMIT, side=SELL, limitPrice=price)["orderId"]  # in its place
    with pytest.raises(VenueDownError, match="200 code 6"):
        session.close_position()
    session.wait_for_status(session.place_accepted(type=MARKET, limitPrice=None, side=SELL), FILLED)  # our stop
    session.tidy()
    assert f"{external(order_id)}: no more orders are placed" == session.stop_reason
    low = int(session.last_price) - 100
    venue.post("/api/Order/modify", accountId=venue.account_id, orderId=order_id, limitPrice=low)
    until(lambda: venue.position() == -1, what="the late fill")
    session.stop_reason = None
    session.tidy()

    assert session.stop_reason is None
    assert (0, []) == (venue.position(), working_orders(venue))
    assert 2 == len(venue.requests(CLOSE))


@pytest.mark.parametrize("step", bracket_steps.STEPS, ids=lambda step: step.name)
def test_a_step_closes_no_position_that_is_not_its_own(
    venue: RunningVenue, start_session: StartSession, monkeypatch: pytest.MonkeyPatch, step: Check
) -> None:
    monkeypatch.setattr(own_position, "SHOWN_WITHIN_S", 1)
    session = start_session()
    venue.trade(size=3)  # by a person
    results = list(ask_safely(step, session))
    session.tidy()
    session.clean_up()

    assert [] == venue.requests(CLOSE)
    assert (3, []) == (venue.position(), working_orders(venue))
    assert [f"a position of 3 in {MNQ} is still open"] == session.problems
    assert "our fills make" in results[-1].observed
    assert CheckVerdict.NOT_ASKED is results[-1].verdict


@pytest.mark.parametrize("order", [{}, {"type": LIMIT, "limitPrice": 20_000}], ids=["position", "order"])
def test_no_session_begins_in_a_contract_that_is_no_longer_empty(
    venue: RunningVenue, start_session: StartSession, order: dict[str, int]
) -> None:
    """It was empty when the run asked for a confirmation."""
    order_id = venue.place(**order)["orderId"]
    until(lambda: bool(order) or venue.order(order_id)["status"] == FILLED, what="the fill")
    with pytest.raises(SettingsError, match=f"has a position or a working order in {MNQ}"):
        start_session()


@pytest.mark.parametrize("is_others", [True, False], ids=["order_of_a_person", "cancel_that_does_nothing"])
def test_what_is_left_differs_only_if_the_gateway_has_left_it(venue: RunningVenue, *, is_others: bool) -> None:
    context = context_of(venue, *WITH_ORDERS, "--clean-up-seconds", "3")
    with context.ending:
        asking = ask_safely(order_run.ask_order_questions, context)
        next(asking)
        if is_others:
            venue.place(type=LIMIT, limitPrice=20_000)
        else:
            venue.faults(path="/api/Order/cancel", kind="reject", error_code=5, count=None)
        *_, last = asking

    assert order_run.CLEAN_UP.id == last.id
    assert "still work" in last.observed
    assert (CheckVerdict.NOT_ASKED if is_others else CheckVerdict.DIFFERS, is_others) == (last.verdict, last.is_failed)
