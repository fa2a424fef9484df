"""A trading day of market time at speed 60 while everything goes wrong now and then: at its end both books agree."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import requests

from shared.config import environment
from tests.fixtures.both_states import differences, ours, theirs
from tests.fixtures.stack import ALERT, TERMINAL, Stack, eventually

IS_LONG = environment().get("TICKWORK_CHAOS") == "long"
SPEED = 60
# A whole day from Sunday's opening to Monday's end of trading; or from early in the morning until enough was traded.
STARTS = "2026-03-08T17:00" if IS_LONG else "2026-03-09T04:00"
WHOLE_DAY_S = 23 * 3600 / SPEED
BURST, LEAST_ENTRIES = 12, 2  # a short day: this many alerts at once, then one after the other until so many entered
EVERY_S = 5.0 if IS_LONG else 0.4
ENTRY_TTL_S = 90 if IS_LONG else 15  # an entry that waits for an order of unknown fate waits no longer
STORM = {"preset": "storm", "probability": 0.05 if IS_LONG else 0.2}
LOOKS = """
    SELECT name, state, attempt, error, finished_at FROM job
    WHERE name = 'orders.reconcile_accounts' ORDER BY enqueued_at DESC LIMIT 5
"""
ALERTS = "SELECT state FROM job WHERE name = 'alerts.handle_alert'"
ENDS = "SELECT state, left(error, 150), count(*) FROM job WHERE name = 'alerts.handle_alert' GROUP BY 1, 2 ORDER BY 3"
ENTRIES = "SELECT count(*) FROM orders WHERE role = 'ENTRY' AND state = 'FILLED'"
OPEN = "SELECT state, reason FROM orders WHERE state IN ('CREATED', 'SUBMITTING', 'IN_DOUBT')"
BUSY = (
    "SELECT name, state, attempt, error FROM job WHERE queue = 'critical' AND state IN ('queued', 'running') LIMIT 20"
)


def post(url: str, number: int, action: str) -> str | None:
    """Post one alert; return its job, or None when it was not accepted."""
    alert = ALERT | {"id": f"day-{number}", "action": action, "quantity": 2, "stop_loss_ticks": 200}
    answer = requests.post(url, json=alert, timeout=10)
    return str(answer.json()["job_id"]) if answer.status_code == requests.codes.accepted else None


def post_alerts(url: str, is_over: Callable[[int], bool]) -> int:
    """Buy, sell and close in turns until the day is over; return how many alerts were accepted."""
    number = accepted = 0
    while not is_over(number):
        accepted += post(url, number, ("buy", "sell", "close")[number % 3]) is not None
        number += 1
        time.sleep(EVERY_S)
    return accepted


def short_day(stack: Stack, url: str) -> int:
    """Post a burst, then one alert after the other until enough was entered; return how many were accepted."""
    number, accepted = BURST, post_alerts(url, lambda number: number == BURST)
    while stack.rows(ENTRIES)[0][0] < LEAST_ENTRIES or met_by(stack).total() == 0:
        if job := post(url, number, ("buy", "sell")[number % 2]):
            stack.wait_for_end(job)
            accepted += 1
        number += 1
    return accepted


def whole_day(url: str) -> int:
    """Post alerts until the end of trading; return how many were accepted."""
    ends_at = time.monotonic() + WHOLE_DAY_S
    return post_alerts(url, lambda _: time.monotonic() > ends_at)


def met_by(stack: Stack) -> Counter[str]:
    """Return how often each kind of fault was met until now."""
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
    stack.env["TICKWORK_CONTRACTS"] = "MNQ"  # the venue's windows are machine time: at this speed they serve one
    stack.up("--at", STARTS, "--speed", str(SPEED))
    eventually("the account is reconciled", lambda: stack.rows("SELECT 1 FROM account WHERE reconciled_at IS NOT NULL"))
    ((account_id,),) = stack.rows("SELECT id FROM account")
    url = stack.hook("day")
    stack.control("PUT", "faults", STORM)
    accepted = whole_day(url) if IS_LONG else short_day(stack, url)
    met = met_by(stack)
    stack.control("DELETE", "faults")
    stack.hurry()
    eventually("every alert's job has ended", lambda: {row[0] for row in stack.rows(ALERTS)} <= TERMINAL, 240)
    eventually("no order hangs", lambda: not stack.rows(OPEN), 240, lambda: stack.rows(OPEN))
    eventually("what money depends on is done", lambda: not stack.rows(BUSY), 120, lambda: stack.rows(BUSY))

    def books() -> tuple[list[Any], list[Any]]:
        return ours(stack, account_id), theirs(stack, account_id)

    eventually(
        "both books agree",
        lambda: len(set(map(repr, books()))) == 1,
        120,
        lambda: "\n".join(map(str, [*differences(*books()), *stack.rows(LOOKS)])),
    )
    requests_made = stack.control("GET", "requests")
    with capsys.disabled():
        orders, fills, _, balance = theirs(stack, account_id)
        made, limited = sum(requests_made["counts"].values()), requests_made["limited"]
        print(f"\nA day of market at speed {SPEED}: {accepted} alerts, {len(orders)} orders,")
        print(f"{len(fills)} fills, balance {balance[0][0]}; {made} requests, 429 for our own doing: {limited};")
        print(f"faults met {met.total()}: {dict(met)}; ends of alerts: {stack.rows(ENDS)}")

    # Most of what was asked for was traded: a day on which everything is halted would prove nothing.
    assert stack.rows(ENTRIES)[0][0] > (accepted / 6 if IS_LONG else 1), stack.rows(ENDS)
    assert {} == requests_made["limited"]
    assert all(met.values()) if IS_LONG else met.total() > 0
