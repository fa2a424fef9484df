"""A conformance run that gets no rows: what only rows can answer is not asked, and what differs still differs."""

import pytest

from simulator.conformance import bar_checks, contract_checks, search_checks
from simulator.conformance.budget import BARS
from simulator.conformance.results import Check, CheckVerdict, ask_safely
from tests.fixtures.order_sessions import context_of, other_gateway
from tests.fixtures.other_gateway import Document
from tests.fixtures.venue import RunningVenue

ACCOUNTS, CONTRACTS, QUERY = "/api/Account/search", "/api/Contract/available", "/api/Order/v2/query"
DIFFERS, SAME, NOT_ASKED = CheckVerdict.DIFFERS, CheckVerdict.SAME, CheckVerdict.NOT_ASKED


def verdicts(check: Check, given: object) -> dict[str, CheckVerdict]:
    results = list(ask_safely(check, given))
    assert [] == [row for row in results if row.is_failed]
    return {row.id: row.verdict for row in results}


def empty(document: Document) -> None:
    """Let every list of an answer be empty."""
    document |= {name: [] for name, value in document.items() if isinstance(value, list)}


def test_an_account_without_orders_positions_and_trades_tells_nothing_about_their_rows(venue: RunningVenue) -> None:
    context = context_of(venue)
    seen = verdicts(search_checks.ask_orders, context)
    seen |= verdicts(search_checks.ask_positions, context) | verdicts(search_checks.ask_trades, context)

    assert {NOT_ASKED} == set(seen.values())


def test_an_open_order_alone_does_not_tell_whether_others_are_searched(venue: RunningVenue) -> None:
    order_id = venue.place(type=1, limitPrice=20_000)["orderId"]
    context = context_of(venue)
    alone = verdicts(search_checks.ask_orders, context)
    venue.post("/api/Order/cancel", accountId=venue.account_id, orderId=order_id)
    ended = verdicts(search_checks.ask_orders, context)

    assert (SAME, NOT_ASKED) == (alone[search_checks.ORDER_FIELDS.id], alone[search_checks.OPEN_STATUS.id])
    assert SAME == ended[search_checks.OPEN_STATUS.id]


def test_a_null_page_of_orders_is_a_difference(venue: RunningVenue) -> None:
    venue.faults(path=QUERY, kind="null_list", count=None)
    results = list(ask_safely(search_checks.ask_query, context_of(venue)))

    assert ("orders is null", DIFFERS) == (results[0].observed, results[0].verdict)


@pytest.mark.parametrize(
    ("path", "check", "same"),
    [
        (ACCOUNTS, contract_checks.ask_accounts, set()),
        (CONTRACTS, contract_checks.ask_available, {contract_checks.LIVE.id}),
        (BARS, bar_checks.ask_window, set()),
        (BARS, bar_checks.ask_naive_time, set()),
        (BARS, bar_checks.ask_partial_bar, set()),
    ],
    ids=lambda value: value.name if isinstance(value, Check) else "",
)
def test_an_empty_list_is_no_row_of_the_documented_form(
    venue: RunningVenue, path: str, check: Check, same: set[str]
) -> None:
    with other_gateway(venue) as gateway:
        context = context_of(venue, url=gateway.url)
        gateway.changes[path] = empty
        seen = verdicts(check, context)

    answered = {contract_checks.FAMILIES.id}
    assert {id_ for id_, verdict in seen.items() if verdict is not NOT_ASKED} - answered == same


def test_the_end_of_a_window_is_not_asked_if_the_window_comes_empty(venue: RunningVenue) -> None:
    def empty_between_bars(document: Document) -> None:
        if len(document["bars"]) != 10:
            document["bars"] = []

    with other_gateway(venue) as gateway:
        context = context_of(venue, url=gateway.url)
        gateway.changes[BARS] = empty_between_bars
        seen = verdicts(bar_checks.ask_window, context)

    assert (DIFFERS, NOT_ASKED) == (seen[bar_checks.START.id], seen[bar_checks.END.id])
