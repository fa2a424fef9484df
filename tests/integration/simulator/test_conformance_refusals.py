"""A refusal in a conformance run counts only for what it says: its status, its code, and what it was an answer to."""

from collections.abc import Iterator

import pytest
import requests

from simulator.conformance import bracket_steps, leniency_checks, limit_checks, login_checks, order_run, order_steps
from simulator.conformance.results import Check, CheckResult, CheckVerdict, ask_safely
from tests.fixtures.order_sessions import WITH_ORDERS, StartSession, context_of, other_gateway
from tests.fixtures.other_gateway import Document
from tests.fixtures.venue import RunningVenue, StartVenue
from tests.integration.simulator.test_conformance import working_orders

PLACE, CANCEL, OPEN_ORDERS = "/api/Order/place", "/api/Order/cancel", "/api/Order/searchOpen"
LOGIN, LOGOUT, ACCOUNTS = "/api/Auth/loginKey", "/api/Auth/logout", "/api/Account/search"
CLOSED_TEXT = "Instrument is not in an active trading status."
DIFFERS, SAME, NOT_ASKED = CheckVerdict.DIFFERS, CheckVerdict.SAME, CheckVerdict.NOT_ASKED


def ids(results: list[CheckResult], verdict: CheckVerdict) -> set[str]:
    return {row.id for row in results if row.verdict is verdict}


def find(results: list[CheckResult], id_: str) -> CheckResult:
    [found] = [row for row in results if row.id == id_]
    return found


def cancel_working(venue: RunningVenue) -> None:
    for row in working_orders(venue):
        venue.post(CANCEL, accountId=venue.account_id, orderId=row["id"])


def ask_until(check: Check, given: object, last: str) -> tuple[list[CheckResult], Iterator[CheckResult]]:
    """Return the results up to that of the question `last`, and those that are still to come."""
    asking, results = ask_safely(check, given), list[CheckResult]()
    while not results or results[-1].id != last:
        results.append(next(asking))
    return results, asking


def test_a_plain_order_that_gets_a_400_is_a_difference_and_nothing_more_is_placed(venue: RunningVenue) -> None:
    venue.faults(path=PLACE, kind="status", status=400, count=None)
    context = context_of(venue, *WITH_ORDERS)
    with context.ending:
        results = list(ask_safely(order_run.ask_order_questions, context))

    assert {question.id for question in order_steps.ask_first_order.questions} == ids(results, DIFFERS)
    assert "a plain limit order got 400 without a body, expected a 200" == find(results, "q1.visibility").observed
    assert "no more orders are placed" in find(results, "q13.reversal").observed
    assert {order_run.CLEAN_UP.id} == ids(results, SAME)
    assert 3 == len(venue.requests(PLACE)), "one at each distance"


def test_the_code_of_a_closed_market_counts_only_with_a_200(venue: RunningVenue, start_session: StartSession) -> None:
    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        venue.faults(path=PLACE, kind="reject", message=CLOSED_TEXT, count=None)
        gateway.other_statuses[PLACE, 200] = 409
        results = list(ask_safely(order_steps.ask_first_order, session))
        session.clean_up()

    assert "got 409 code 2" in find(results, order_steps.CLOSED.id).observed
    assert order_steps.CLOSED.id in ids(results, DIFFERS)


def test_orders_that_get_a_400_in_mid_run_are_differences(venue: RunningVenue) -> None:
    context = context_of(venue, *WITH_ORDERS)
    with context.ending:
        results, asking = ask_until(order_run.ask_order_questions, context, order_steps.REJECTED_ROW.id)
        venue.faults(path=PLACE, kind="status", status=400, count=None)
        results += asking

    assert {order_steps.TAG_LENGTH.id, order_steps.STOP_LIMITS.id, order_steps.LINK.id} <= ids(results, DIFFERS)
    assert bracket_steps.BRACKET.id in ids(results, DIFFERS)
    assert order_run.CLEAN_UP.id in ids(results, SAME)


def test_a_stop_limit_order_is_not_asked_once_no_plain_order_is_taken(venue: RunningVenue) -> None:
    context = context_of(venue, *WITH_ORDERS)
    with context.ending:
        results, asking = ask_until(order_run.ask_order_questions, context, order_steps.TAG_CASE.id)
        venue.faults(path=PLACE, kind="reject", message=CLOSED_TEXT, count=None)
        results += asking

    assert "the market is closed" in find(results, order_steps.STOP_LIMITS.id).observed
    assert order_steps.STOP_LIMITS.id in ids(results, NOT_ASKED)
    assert set() == ids(results, DIFFERS)
    assert [] == [row for row in results if row.is_failed]


def test_a_stop_limit_order_is_left_open_if_no_answer_tells_whether_a_plain_one_is_taken(
    venue: RunningVenue, start_session: StartSession
) -> None:
    with other_gateway(venue) as gateway:

        def fail_next(_: Document) -> None:
            gateway.statuses[PLACE] = 503

        session = start_session(gateway.url)
        results, asking = ask_until(order_steps.ask_refusals, session, order_steps.MISALIGNED.id)
        gateway.changes[PLACE] = fail_next
        results += asking
        gateway.statuses.clear()
        session.clean_up()

    stop_limit = find(results, order_steps.STOP_LIMITS.id)
    assert stop_limit.is_failed
    assert "503" in stop_limit.observed


def test_the_code_of_a_refused_stop_limit_order_counts_only_with_a_200(
    venue: RunningVenue, start_session: StartSession
) -> None:
    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        results, asking = ask_until(order_steps.ask_refusals, session, order_steps.MISALIGNED.id)
        gateway.other_statuses[PLACE, 200] = 400
        results += asking
        session.clean_up()

    assert order_steps.STOP_LIMITS.id in ids(results, DIFFERS)
    assert "no, 400 code 2" in find(results, order_steps.STOP_LIMITS.id).observed


def test_a_setting_explains_a_refused_bracket_only_with_a_200(venue: RunningVenue, start_session: StartSession) -> None:
    venue.set_account(bracket_mode="position")
    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        gateway.other_statuses[PLACE, 200] = 400
        result = next(ask_safely(bracket_steps.ask_round_trip, session))
        session.clean_up()

    assert (bracket_steps.BRACKET.id, DIFFERS) == (result.id, result.verdict)
    assert "400 code 2" in result.observed


def test_a_target_that_is_not_cancelled_tells_nothing_about_the_stop(
    venue: RunningVenue, start_session: StartSession
) -> None:
    session = start_session()
    venue.faults(path=CANCEL, kind="reject", error_code=5, count=1)
    results = list(ask_safely(bracket_steps.ask_round_trip, session))

    assert {bracket_steps.CANCEL_LEG.id} == ids(results, DIFFERS)
    assert "the target is not cancelled: 200 code 5" == find(results, bracket_steps.CANCEL_LEG.id).observed


def test_a_close_tells_nothing_about_a_stop_that_the_cancelled_target_has_ended(
    venue: RunningVenue, start_session: StartSession
) -> None:
    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        gateway.changes[CANCEL] = lambda _: cancel_working(venue)
        results = list(ask_safely(bracket_steps.ask_round_trip, session))
        session.clean_up()

    assert "it gets status 3" == find(results, bracket_steps.CANCEL_LEG.id).observed
    assert bracket_steps.CLOSE_LEGS.id in ids(results, NOT_ASKED)
    assert 0 == venue.position()


def test_legs_that_end_before_they_are_asked_about_leave_no_question_without_a_row(
    venue: RunningVenue, start_session: StartSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bracket_steps, "_LEGS_WITHIN_S", 0.5)
    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        gateway.changes["/api/Trade/search"] = lambda _: cancel_working(venue)
        results = list(ask_safely(bracket_steps.ask_round_trip, session))
        session.clean_up()

    assert {question.id for question in bracket_steps.ask_round_trip.questions} == {row.id for row in results}
    assert "no working stop and target" in find(results, bracket_steps.CANCEL_LEG.id).observed


def test_the_limit_is_measured_with_the_second_login_if_it_ends_the_first(
    start_venue: StartVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_checks, "_WINDOW_S", 0)
    venue = start_venue(limits=True)
    with other_gateway(venue) as gateway:
        context = context_of(venue, "--rate-limits", url=gateway.url)
        first = context.rest.token

        def end_first(_: Document) -> None:
            requests.post(f"{venue.url}{LOGOUT}", headers={"Authorization": f"Bearer {first}"}, timeout=60)

        gateway.changes[LOGIN] = end_first
        asking = ask_safely(limit_checks.ask_limits, context)
        results = [next(asking) for _ in range(4)]

    assert {limit_checks.BODY.id, limit_checks.HEADERS.id} <= ids(results, SAME)
    assert "the second login ended the first token" == find(results, limit_checks.SCOPE.id).observed
    assert limit_checks.SCOPE.id in ids(results, NOT_ASKED)


def test_a_logout_has_ended_a_token_only_if_it_gets_a_401(venue: RunningVenue) -> None:
    with other_gateway(venue) as gateway:
        context = context_of(venue, "--log-out", url=gateway.url)
        gateway.other_statuses[ACCOUNTS, 401] = 400
        results = list(ask_safely(login_checks.ask_sessions, context))

    assert "its own token gets 400 without a body" == find(results, login_checks.LOGOUT.id).observed
    assert login_checks.LOGOUT.id in ids(results, DIFFERS)


def test_problem_details_of_another_status_are_a_difference(venue: RunningVenue) -> None:
    with other_gateway(venue) as gateway:
        context = context_of(venue, url=gateway.url)
        gateway.other_statuses[OPEN_ORDERS, 400] = 422
        results = list(ask_safely(leniency_checks.ask_problem, context))

    assert "422 problem details" == find(results, leniency_checks.PROBLEM_FIELDS.id).observed
    assert leniency_checks.PROBLEM_FIELDS.id in ids(results, DIFFERS)
