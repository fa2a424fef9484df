"""A trading day of market time at speed 60 while everything goes wrong now and then: at its end both books agree."""

import time
from collections import Counter
from typing import Any

import pytest
import requests

from shared.config import environment
from tests.fixtures.books import differences, ours, theirs
from tests.fixtures.stack import ALERT, TERMINAL, Stack, eventually

IS_LONG = environment().get("TICKWORK_CHAOS") == "long"
SPEED = 60
# A whole day from Sunday's opening to Monday's end of trading, or some minutes far from its end.
STARTS, MINUTES = ("2026-03-08T17:00", 23 * 60) if IS_LONG else ("2026-03-09T04:00", 5)
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
OPEN = "SELECT state, reason FROM orders WHERE state IN ('INTENDED', 'SUBMITTING', 'UNKNOWN')"
BUSY = (
    "SELECT name, state, attempt, error FROM job WHERE queue = 'critical' AND state IN ('queued', 'running') LIMIT 20"
)


def post_alerts(url: str, seconds: float) -> int:
    """Buy and sell in turns for a while; return how many alerts were accepted."""
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        action = ("buy", "sell", "close")[count % 3]
        alert = ALERT | {"id": f"day-{count}", "action": action, "quantity": 2, "stop_loss_ticks": 200}
        count += requests.post(url, json=alert, timeout=10).status_code == 202
        time.sleep(EVERY_S)
    return count


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
    accepted = post_alerts(url, MINUTES * 60 / SPEED)
    met: Counter[str] = Counter()
    for fault in stack.control("GET", "faults"):
        met[fault["kind"]] += fault["met"]
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
        print(f"\n{MINUTES} minutes of market at speed {SPEED}: {accepted} alerts, {len(orders)} orders,")
        print(f"{len(fills)} fills, balance {balance[0][0]}; {made} requests, 429 for our own doing: {limited};")
        print(f"faults met {met.total()}: {dict(met)}; ends of alerts: {stack.rows(ENDS)}")

    # Most of what was asked for was traded: a day on which everything is halted would prove nothing.
    assert stack.rows(ENTRIES)[0][0] > (accepted / 6 if IS_LONG else 0), stack.rows(ENDS)
    assert {} == requests_made["limited"]
    assert all(met.values()) if IS_LONG else met.total() > 0
