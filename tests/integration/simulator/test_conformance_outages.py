"""The REST questions of a conformance run while the gateway fails: an outage is no answer, whatever was asked."""

import pytest

from simulator.conformance import (
    bar_checks,
    contract_checks,
    hub_checks,
    leniency_checks,
    limit_checks,
    login_checks,
    search_checks,
)
from simulator.conformance.budget import BARS
from simulator.conformance.context import CheckContext
from simulator.conformance.results import Check, CheckResult, CheckVerdict, Question, ask_safely
from tests.fixtures.order_sessions import context_of
from tests.fixtures.venue import RunningVenue, StartVenue

MODULES = (login_checks, contract_checks, bar_checks, search_checks, leniency_checks)
CHECKS: tuple[Check, ...] = (*(check for module in MODULES for check in module.CHECKS), hub_checks.ask_negotiation)
LAST_OF_SOME_CHECKS = {
    "s2.unauthorized", "s3.validate", "q4.logout_scope", "s5.contracts_live", "s5.search_without_text",
    "s5.contract_expired", "s5.bars_reversed", "s5.bars_naive_time", "q11.query_total", "s5.unknown_order",
    "s2.lenient_null_body", "s2.problem_errors", "s7.negotiate",
}  # fmt: skip


@pytest.fixture
def context(venue: RunningVenue, monkeypatch: pytest.MonkeyPatch) -> CheckContext:
    """A context with rows in every search; it waits for no window of requests."""
    for price in (20_000, 20_010, 20_020):
        venue.place(type=1, limitPrice=price)
    venue.trade()
    context = context_of(venue, "--log-out")
    monkeypatch.setattr(context.rest.budget, "wait", lambda _: None)
    return context


def ask_everything(context: CheckContext) -> list[CheckResult]:
    return [row for check in CHECKS for row in ask_safely(check, context)]


def differing(results: list[CheckResult]) -> list[CheckResult]:
    return [row for row in results if row.verdict is CheckVerdict.DIFFERS]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_an_outage_is_no_difference(venue: RunningVenue, context: CheckContext, status: int) -> None:
    venue.faults(kind="status", status=status, count=None)
    results = ask_everything(context)
    failed = {row.id for row in results if row.is_failed}

    assert [] == differing(results)
    assert failed >= LAST_OF_SOME_CHECKS
    assert all(f"answered {status}" in row.observed for row in results if row.is_failed)


def test_an_outage_in_the_middle_of_a_check_is_no_difference(venue: RunningVenue, context: CheckContext) -> None:
    """Each request fails now and then, so that in some of the rounds the first ones of a check pass."""
    venue.faults(kind="status", status=503, count=None, probability=0.3)
    results = [row for _ in range(6) for row in ask_everything(context)]
    failed = {row.id for row in results if row.is_failed}

    assert [] == differing(results)
    assert failed >= LAST_OF_SOME_CHECKS - {"s7.negotiate"}
    venue.remove_faults()
    assert [] == [row for row in ask_everything(context) if row.is_failed], "the session goes on"


@pytest.mark.parametrize(
    ("path", "check", "question"),
    [
        ("/api/Contract/searchById", leniency_checks.ask_requests, "s2.lenient_missing_text"),
        ("/api/Account/search", leniency_checks.ask_our_choices, "s2.lenient_boolean_as_text"),
        (BARS, bar_checks.ask_refusals, "s5.bar_limit_range"),
        ("/api/Trade/search", search_checks.ask_unknown, "s5.unknown_account"),
        ("/api/Auth/loginKey", login_checks.ask_wrong_logins, "s3.login_unknown_user"),
    ],
)
def test_an_odd_request_that_fails_leaves_only_its_own_question_open(
    venue: RunningVenue, context: CheckContext, path: str, check: Check, question: str
) -> None:
    venue.faults(path=path, kind="status", status=500)
    results = list(ask_safely(check, context))

    assert [question] == [row.id for row in results if row.is_failed]
    assert [question] == [row.id for row in results if row.verdict is not CheckVerdict.SAME]


@pytest.mark.parametrize("answered", [None, limit_checks.HEADERS, limit_checks.SCOPE])
def test_an_outage_tells_nothing_about_the_limits(
    start_venue: StartVenue, monkeypatch: pytest.MonkeyPatch, answered: Question | None
) -> None:
    """It begins before the first question, after the request that was limited, or while the window passes."""
    monkeypatch.setattr(limit_checks, "_WINDOW_S", 0)
    venue = start_venue(limits=True)
    context = context_of(venue, "--rate-limits")
    asking, results = ask_safely(limit_checks.ask_limits, context), list[CheckResult]()
    while answered and answered.id not in {row.id for row in results}:
        results.append(next(asking))
    venue.faults(path=BARS, kind="status", status=503, count=None)
    rest = list(asking)

    assert {question.id for question in limit_checks.ask_limits.questions} == {row.id for row in (*results, *rest)}
    assert all(row.is_failed and "answered 503" in row.observed for row in rest)
    assert not any(row.is_failed for row in results)
