"""Rows that a gateway shows late in a conformance run: only the question that asks for such a row differs."""

import pytest

from simulator.conformance import bracket_steps, order_session, order_steps, own_position
from simulator.conformance.order_session import CANCELLED, FILLED, REJECTED
from simulator.conformance.results import Check, CheckVerdict, ask_safely
from tests.fixtures.order_sessions import StartSession, other_gateway
from tests.fixtures.other_gateway import ChangeAnswer, Document
from tests.fixtures.venue import RunningVenue

BY_ID, QUERY, POSITIONS = "/api/Order/searchById", "/api/Order/v2/query", "/api/Position/searchOpen"
DIFFERS, NOT_ASKED = CheckVerdict.DIFFERS, CheckVerdict.NOT_ASKED


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up soon."""
    monkeypatch.setattr(order_session, "SHOWN_WITHIN_S", 0.5)
    monkeypatch.setattr(own_position, "SHOWN_WITHIN_S", 0.5)
    monkeypatch.setattr(bracket_steps, "_LEGS_WITHIN_S", 0.5)


def hide_by_id(document: Document) -> None:
    document |= {"order": None, "success": False, "errorCode": 1}


def hide_refused(document: Document) -> None:
    if document["order"] and document["order"]["status"] == REJECTED:
        hide_by_id(document)


def show_as_working(document: Document) -> None:
    if document["order"] and document["order"]["status"] in {FILLED, CANCELLED}:
        document["order"]["status"] = 1


def hide_legs(document: Document) -> None:
    document["orders"] = [row for row in document["orders"] if row["parentOrderId"] is None]


@pytest.mark.parametrize(
    ("step", "change", "differing"),
    [
        (order_steps.ask_first_order, hide_by_id, set()),
        (order_steps.ask_first_order, show_as_working, set()),
        (order_steps.ask_first_order, hide_refused, {order_steps.REJECTED_ROW.id}),
        (order_steps.ask_tags, hide_by_id, set()),
        (order_steps.ask_link, hide_by_id, set()),
        (bracket_steps.ask_round_trip, hide_by_id, set()),
        (bracket_steps.ask_round_trip, show_as_working, set()),
        (bracket_steps.ask_round_trip, hide_legs, {bracket_steps.LEG_IDS.id}),
        (bracket_steps.ask_reversal, show_as_working, set()),
    ],
    ids=lambda value: getattr(value, "name", None) or getattr(value, "__name__", ""),
)
def test_a_late_row_leaves_the_questions_that_do_not_ask_for_it_open(
    venue: RunningVenue, start_session: StartSession, step: Check, change: ChangeAnswer, differing: set[str]
) -> None:
    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        gateway.changes[QUERY if change is hide_legs else BY_ID] = change
        results = list(ask_safely(step, session))
        gateway.changes.clear()
        session.tidy()
        session.clean_up()

    assert {question.id for question in step.questions} == {row.id for row in results}
    assert differing == {row.id for row in results if row.verdict is DIFFERS}
    assert [] == [row for row in results if row.is_failed]
    assert NOT_ASKED in {row.verdict for row in results} or differing
    assert [] == session.problems


def test_a_position_that_is_shown_after_an_accepted_close_leaves_the_questions_open(
    venue: RunningVenue, start_session: StartSession
) -> None:
    shown = list[Document]()

    def show_as_before(document: Document) -> None:
        shown.extend(document["positions"][:1])
        document["positions"] = shown[:1]

    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        gateway.changes[POSITIONS] = show_as_before
        results = list(ask_safely(bracket_steps.ask_round_trip, session))
        gateway.changes.clear()
        session.tidy()
        session.clean_up()

    assert set() == {row.id for row in results if row.verdict is DIFFERS}
    [closing] = [row for row in results if row.id == bracket_steps.CLOSE_LEGS.id]
    assert "the position is not closed for certain" in closing.observed
    assert (NOT_ASKED, False) == (closing.verdict, closing.is_failed)
    assert [] == session.problems
