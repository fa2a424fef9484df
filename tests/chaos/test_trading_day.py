"""A trading day of market time at speed 60 with faults of every kind: at its end our state equals the venue's."""

import itertools
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.fixtures.both_states import list_differences, read_our_state, read_venue_state
from tests.fixtures.chaos_form import ALERT_STATES, ENTRY_TTL_S, IS_LONG, RECONCILED, UNRESOLVED
from tests.fixtures.processes import TERMINAL
from tests.fixtures.stack import ALERT, Stack, eventually

SPEED = 60
# The long form is a whole day, from Sunday's open to Monday's close; the short one ends when enough has been traded.
STARTS = "2026-03-08T17:00" if IS_LONG else "2026-03-09T04:00"
WHOLE_DAY_S = 23 * 3600 / SPEED
BURST, LEAST_ENTRIES = (
    12,
    2,
)  # the short form: a burst of alerts, then one after the other until so many entries have filled
EVERY_S = 5.0 if IS_LONG else 0.4
# Faults of a whole connection, of which a day draws each only once or twice.
RARE = {"hub_drop", "hub_error", "hub_gap", "logout", "quote_gap", "stale_search_open"}
STORM = {"preset": "storm", "probability": 0.05 if IS_LONG else 0.2}
RECONCILE_JOBS = """
    SELECT name, state, attempt, error, finished_at FROM job
    WHERE name = 'orders.reconcile_accounts' ORDER BY enqueued_at DESC LIMIT 5
"""
ENDS = "SELECT state, left(error, 150), count(*) FROM job WHERE name = 'alerts.handle_alert' GROUP BY 1, 2 ORDER BY 3"
ENTRIES = "SELECT count(*) FROM orders WHERE role = 'ENTRY' AND state = 'FILLED'"
UNRESOLVED_ORDERS = f"SELECT state, reason FROM orders WHERE {UNRESOLVED}"
BUSY = (
    "SELECT name, state, attempt, error FROM job WHERE queue = 'critical' AND state IN ('queued', 'running') LIMIT 20"
)


def post(url: str, number: int, action: str) -> str | None:
    """Post one alert; return its job, or None when it was not accepted."""
    alert = ALERT | {"id": f"day-{number}", "action": action, "quantity": 2, "stop_loss_ticks": 200}
    answer = requests.post(url, json=alert, timeout=10)
    return str(answer.json()["job_id"]) if answer.status_code == requests.codes.accepted else None


def post_alerts(url: str, is_over: Callable[[int], bool]) -> int:
    """Buy, sell and close in turns until the day is over; return the number of accepted alerts."""
    number = accepted = 0
    while not is_over(number):
        accepted += post(url, number, ("buy", "sell", "close")[number % 3]) is not None
        number += 1
        time.sleep(EVERY_S)
    return accepted


def post_short_day(stack: Stack, url: str) -> int:
    """Post a burst, then one alert after the other until enough entries have filled; return the number accepted."""
    accepted = post_alerts(url, lambda number: number == BURST)
    numbers = itertools.count(BURST)

    def has_traded() -> bool:
        nonlocal accepted
        if stack.rows(ENTRIES)[0][0] >= LEAST_ENTRIES and count_faults(stack).total() > 0:
            return True
        number = next(numbers)
        if job := post(url, number, ("buy", "sell")[number % 2]):
            stack.wait_for_end(job)
            accepted += 1
        return False

    eventually("enough entries filled among faults", has_traded, 300, lambda: stack.rows(ENDS))
    return accepted


def post_whole_day(url: str) -> int:
    """Post alerts until the end of trading; return the number accepted."""
    ends_at = time.monotonic() + WHOLE_DAY_S
    return post_alerts(url, lambda _: time.monotonic() > ends_at)


def count_faults(stack: Stack) -> Counter[str]:
    """Return how often each kind of fault has occurred."""
    met: Counter[str] = Counter()
    for fault in stack.control("GET", "faults"):
        met[fault["kind"]] += fault["met"]
    return met


@pytest.mark.chaos
@pytest.mark.timeout(2400)
def test_after_a_day_of_faults_orders_fills_positions_and_balance_equal_the_venues(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.env["TICKWORK_ENTRY_TTL"] = str(ENTRY_TTL_S)
    stack.env["TICKWORK_CONTRACTS"] = (
        "MNQ"  # request limits run in machine time: at this speed they suffice for one contract
    )
    stack.up("--at", STARTS, "--speed", str(SPEED))
    eventually("the account is reconciled", lambda: stack.rows(RECONCILED))
    ((account_id,),) = stack.rows("SELECT id FROM account")
    url = stack.hook("day")
    stack.control("PUT", "faults", STORM)
    accepted = post_whole_day(url) if IS_LONG else post_short_day(stack, url)
    met = count_faults(stack)
    stack.control("DELETE", "faults")
    stack.speed_up_schedules()
    eventually("every alert's job has ended", lambda: {row[0] for row in stack.rows(ALERT_STATES)} <= TERMINAL, 240)
    eventually(
        "every order is resolved", lambda: not stack.rows(UNRESOLVED_ORDERS), 240, lambda: stack.rows(UNRESOLVED_ORDERS)
    )
    eventually("every critical job has ended", lambda: not stack.rows(BUSY), 120, lambda: stack.rows(BUSY))

    def read_both() -> tuple[list[Any], list[Any]]:
        return read_our_state(stack, account_id), read_venue_state(stack, account_id)

    eventually(
        "our state equals the venue's",
        lambda: len(set(map(repr, read_both()))) == 1,
        120,
        lambda: "\n".join(map(str, [*list_differences(*read_both()), *stack.rows(RECONCILE_JOBS)])),
    )
    requests_made = stack.control("GET", "requests")
    with capsys.disabled():
        orders, fills, _, balance = read_venue_state(stack, account_id)
        made, limited = sum(requests_made["counts"].values()), requests_made["limited"]
        print(f"\nA day of market at speed {SPEED}: {accepted} alerts, {len(orders)} orders,")
        print(f"{len(fills)} fills, balance {balance[0][0]}; {made} requests, 429 for too many requests: {limited};")
        print(f"faults met {met.total()}: {dict(met)}; ends of alerts: {stack.rows(ENDS)}")

    # Enough entries were traded: a day on which trading was halted would prove nothing.
    assert stack.rows(ENTRIES)[0][0] > (accepted / 6 if IS_LONG else 1), stack.rows(ENDS)
    assert {} == requests_made["limited"]
    missing = {kind for kind, count in met.items() if not count}
    assert (missing < RARE) if IS_LONG else met.total() > 0, missing
