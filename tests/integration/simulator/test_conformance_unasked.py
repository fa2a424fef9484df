"""What a conformance run cannot ask is no difference: an hour, a setting, a missing account, a slow gateway."""

from datetime import UTC, datetime

import pytest

from shared.clock import monotonic
from shared.errors import SettingsError
from simulator.conformance import (
    bar_checks,
    bracket_steps,
    hub_checks,
    leniency_checks,
    limit_checks,
    order_run,
    order_steps,
    search_checks,
)
from simulator.conformance.budget import BARS
from simulator.conformance.results import CheckResult, CheckVerdict, ask_safely
from tests.fixtures.order_sessions import WITH_ORDERS, StartSession, context_of, other_gateway
from tests.fixtures.other_gateway import Document
from tests.fixtures.venue import MES, RunningVenue, StartVenue

PLACE, BY_ID = "/api/Order/place", "/api/Order/searchById"
NEAR_THE_CLOSE = datetime(2026, 3, 10, 20, 20, tzinfo=UTC)  # 15:20 in Chicago: plain orders are refused, not "closed"
SESSION_BEGINS = datetime(2026, 3, 15, 22, 0, 20, tzinfo=UTC)  # a Sunday, 17:00 in Chicago
ORDER_QUESTIONS = order_run.ask_order_questions


def with_verdict(results: list[CheckResult], verdict: CheckVerdict) -> dict[str, str]:
    """Return the observed text of the results with a verdict, by id."""
    return {row.id: row.observed for row in results if row.verdict is verdict}


def differing(results: list[CheckResult]) -> dict[str, str]:
    return with_verdict(results, CheckVerdict.DIFFERS) | {row.id: row.observed for row in results if row.is_failed}


def test_orders_that_the_hour_forbids_are_not_asked(start_venue: StartVenue) -> None:
    venue = start_venue(market_origin=NEAR_THE_CLOSE)
    context = context_of(venue, *WITH_ORDERS)
    with context.ending:
        results = list(ask_safely(ORDER_QUESTIONS, context))

    assert {} == differing(results)
    skipped = with_verdict(results, CheckVerdict.NOT_ASKED)
    assert {row.id for row in results} - skipped.keys() == {"orders.clean_up"}
    assert all("Trading is closed until 17:00 CT" in observed for observed in skipped.values())
    assert 3 == venue.get_status()["order_count"], "one at each distance, and nothing after them"


def test_orders_that_are_forbidden_in_mid_run_are_not_asked_from_then_on(venue: RunningVenue) -> None:
    context, results = context_of(venue, *WITH_ORDERS), list[CheckResult]()
    with context.ending:
        asking = ask_safely(ORDER_QUESTIONS, context)
        while not results or results[-1].id != order_steps.REJECTED_ROW.id:
            results.append(next(asking))
        venue.faults(path=PLACE, kind="reject", message="Trading is closed.", count=None)
        results += asking

    assert {} == differing(results)
    skipped = with_verdict(results, CheckVerdict.NOT_ASKED)
    assert "Trading is closed." in skipped[order_steps.TAG_LENGTH.id]
    assert "Trading is closed." in skipped[bracket_steps.REVERSAL.id]


def test_a_new_order_that_is_shown_late_is_waited_for(venue: RunningVenue, start_session: StartSession) -> None:
    placed_at = [monotonic()]

    def note_time(_: Document) -> None:
        placed_at.append(monotonic())

    def hide_at_first(document: Document) -> None:
        if monotonic() - placed_at[-1] < 0.3:
            document |= {"order": None, "success": False, "errorCode": 1}

    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        gateway.changes |= {PLACE: note_time, BY_ID: hide_at_first}
        results = [row for step in order_steps.STEPS for row in ask_safely(step, session)]
        session.clean_up()

    assert {} == differing(results)
    assert [] == session.problems


def test_brackets_that_a_setting_refuses_are_no_difference(venue: RunningVenue, start_session: StartSession) -> None:
    venue.set_account(bracket_mode="position")
    session = start_session()
    results = list(ask_safely(bracket_steps.ask_round_trip, session))
    session.clean_up()

    assert {} == differing(results)
    assert "switch it to Auto OCO" in with_verdict(results, CheckVerdict.NOT_ASKED)[bracket_steps.BRACKET.id]
    assert bracket_steps.ACTIONS.id in with_verdict(results, CheckVerdict.SAME)


def test_a_user_without_an_account_is_asked_everything_else(venue: RunningVenue) -> None:
    def hide_accounts(document: Document) -> None:
        document["accounts"] = []

    with pytest.raises(SettingsError, match="no account 9"):
        context_of(venue, "--account", "9")
    with other_gateway(venue) as gateway:
        gateway.changes["/api/Account/search"] = hide_accounts
        context = context_of(venue, url=gateway.url)
        checks = (*search_checks.CHECKS, leniency_checks.ask_requests, hub_checks.ask_user_hub, ORDER_QUESTIONS)
        results = [row for check in checks for row in ask_safely(check, context)]

    assert {} == differing(results)
    skipped = with_verdict(results, CheckVerdict.NOT_ASKED)
    assert {"s5.order_fields", "s5.unknown_order", "s2.lenient_name_upper", "s7.subscribe_user"} <= skipped.keys()
    assert {"s5.unknown_account", "s2.lenient_array"} <= with_verdict(results, CheckVerdict.SAME).keys()


def test_the_newest_bars_are_known_in_the_first_minute_of_a_session(start_venue: StartVenue) -> None:
    venue = start_venue(market_origin=SESSION_BEGINS)
    with other_gateway(venue) as gateway:
        results = list(ask_safely(bar_checks.ask_window, context_of(venue, url=gateway.url)))
        gateway.changes[BARS] = shift_ten
        others = list(ask_safely(bar_checks.ask_window, context_of(venue, url=gateway.url)))

    assert {} == differing(results)
    assert bar_checks.KEPT.id in differing(others)


def shift_ten(document: Document) -> None:
    """Let ten bars be those of an hour before, as if a limit kept others than the newest."""
    if len(document["bars"]) == 10:
        for bar in document["bars"]:
            hour = datetime.fromisoformat(bar["t"]).hour
            bar["t"] = bar["t"].replace(f"T{hour:02}", f"T{hour - 1:02}")


@pytest.mark.parametrize("has_limits", [True, False])
def test_requests_that_took_longer_than_the_window_say_nothing_about_the_limit(
    start_venue: StartVenue, monkeypatch: pytest.MonkeyPatch, *, has_limits: bool
) -> None:
    monkeypatch.setattr(limit_checks, "_WINDOW_S", 0)
    monkeypatch.setattr(limit_checks, "_LIMIT_S", 0)
    venue = start_venue(limits=has_limits)
    results = list(ask_safely(limit_checks.ask_limits, context_of(venue, "--rate-limits")))

    assert {} == differing(results)
    unknown = {limit_checks.PASSED.id, limit_checks.SCOPE.id, limit_checks.WINDOW.id}
    assert unknown <= with_verdict(results, CheckVerdict.NOT_ASKED).keys()


def test_trades_that_are_listed_late_are_waited_for_and_are_no_difference(
    venue: RunningVenue, start_session: StartSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bracket_steps, "_TRADES_WITHIN_S", 0.5)
    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        gateway.changes["/api/Trade/search"] = lambda document: document.update(trades=[])
        results = [row for step in bracket_steps.STEPS for row in ask_safely(step, session)]
        session.clean_up()

    assert {} == differing(results)
    late = {bracket_steps.REVERSAL.id, bracket_steps.DEBIT.id, bracket_steps.OPENING_PNL.id}
    assert late == with_verdict(results, CheckVerdict.NOT_ASKED).keys()
    assert [] == session.problems


def test_a_used_tag_that_is_accepted_tells_nothing_about_refused_orders(
    venue: RunningVenue, start_session: StartSession
) -> None:
    placed = list[int]()

    def accept(document: Document) -> None:
        if document["success"]:
            placed.append(document["orderId"])
        else:
            document |= {"success": True, "errorCode": 0, "errorMessage": None, "orderId": placed[0]}

    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        gateway.changes[PLACE] = accept
        results = list(ask_safely(order_steps.ask_first_order, session))
        session.clean_up()

    assert {order_steps.IN_USE.id, order_steps.AFTER_CANCEL.id} == differing(results).keys()
    assert order_steps.REJECTED_ROW.id in with_verdict(results, CheckVerdict.NOT_ASKED)


def test_events_of_another_contract_are_no_part_of_the_round_trip(
    venue: RunningVenue, start_session: StartSession
) -> None:
    others = list[Document]()

    def place_another(_: Document) -> None:
        if not others:
            others.append(venue.place(contractId=MES, type=1, limitPrice=4_000))

    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        gateway.changes["/api/Account/search"] = place_another
        results = list(ask_safely(bracket_steps.ask_round_trip, session))
        session.clean_up()

    assert {} == differing(results)
    assert others[0]["success"]
    assert bracket_steps.EVENT_ORDER.id in with_verdict(results, CheckVerdict.SAME)
    assert [] == session.problems


def test_a_fill_of_another_contract_tells_nothing_about_the_balance_and_the_account_events(
    venue: RunningVenue, start_session: StartSession
) -> None:
    others = list[Document]()

    def trade_another(_: Document) -> None:
        if not others:
            others.append(venue.trade(contractId=MES))

    with other_gateway(venue) as gateway:
        session = start_session(gateway.url)
        gateway.changes["/api/Account/search"] = trade_another
        results = list(ask_safely(bracket_steps.ask_round_trip, session))
        session.clean_up()

    assert {} == differing(results)
    skipped = with_verdict(results, CheckVerdict.NOT_ASKED)
    assert {bracket_steps.DEBIT.id, bracket_steps.EVENT_ORDER.id} == skipped.keys()
    assert all("a fill on the account is not of this run" in observed for observed in skipped.values())
    assert [] == session.problems
