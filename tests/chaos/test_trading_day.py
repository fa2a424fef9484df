"""A trading day of market time at speed 60 while everything goes wrong now and then: at its end both books agree."""

import time
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
import requests

from shared.config import environment
from tests.fixtures.stack import ALERT, TERMINAL, Stack, eventually

IS_LONG = environment().get("TICKWORK_CHAOS") == "long"
SPEED = 60
# A whole day from Sunday's opening to Monday's end of trading, or its last hour.
STARTS, MINUTES = ("2026-03-08T17:00", 23 * 60) if IS_LONG else ("2026-03-09T14:20", 55)
EVERY_S = 5.0 if IS_LONG else 2.0
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


def control(stack: Stack, method: str, path: str, body: object = None) -> Any:
    answer = requests.request(method, f"{stack.written()['urls']['simulator-control']}/{path}", json=body, timeout=30)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def post_alerts(url: str, seconds: float) -> int:
    """Buy and sell in turns for a while; return how many alerts were accepted."""
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        action = ("buy", "sell", "close")[count % 3]
        alert = ALERT | {"id": f"day-{count}", "action": action, "quantity": 2, "stop_loss_ticks": 200}
        count += requests.post(url, json=alert, timeout=10).status_code == 202
        time.sleep(EVERY_S)
    return count


def at_venue(stack: Stack, path: str, field: str, **body: object) -> list[dict[str, Any]]:
    account_id = stack.rows("SELECT id FROM account")[0][0]
    found: list[dict[str, Any]] = stack.at_venue(path, accountId=account_id, **body)[field]
    return found


def money(value: object) -> Decimal:
    return Decimal(str(value))


@pytest.mark.chaos
@pytest.mark.timeout(2400)
def test_after_a_day_of_faults_orders_fills_positions_and_balance_equal_the_venues(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.env["TICKWORK_CONTRACTS"] = "MNQ"  # the venue's windows are machine time: at this speed they serve one
    stack.up("--at", STARTS, "--speed", str(SPEED))
    eventually("the account is reconciled", lambda: stack.rows("SELECT 1 FROM account WHERE reconciled_at IS NOT NULL"))
    url = stack.hook("day")
    control(stack, "PUT", "faults", STORM)
    accepted = post_alerts(url, MINUTES * 60 / SPEED)
    met: Counter[str] = Counter()
    for fault in control(stack, "GET", "faults"):
        met[fault["kind"]] += fault["met"]
    control(stack, "DELETE", "faults")
    eventually("every alert's job has ended", lambda: {row[0] for row in stack.rows(ALERTS)} <= TERMINAL, 240)
    eventually("no order hangs", lambda: not stack.rows(OPEN), 240, lambda: stack.rows(OPEN))
    eventually("what money depends on is done", lambda: not stack.rows(BUSY), 120, lambda: stack.rows(BUSY))

    def books() -> tuple[list[Any], list[Any]]:
        return ours(stack), theirs(stack)

    eventually(
        "both books agree",
        lambda: len(set(map(repr, books()))) == 1,
        120,
        lambda: "\n".join(map(str, [*differences(*books()), *stack.rows(LOOKS)])),
    )
    requests_made = control(stack, "GET", "requests")
    with capsys.disabled():
        orders, fills, _, balance = theirs(stack)
        made, limited = sum(requests_made["counts"].values()), requests_made["limited"]
        print(f"\n{MINUTES} minutes of market at speed {SPEED}: {accepted} alerts, {len(orders)} orders,")
        print(f"{len(fills)} fills, balance {balance[0][0]}; {made} requests, 429 for our own doing: {limited};")
        print(f"faults met {met.total()}: {dict(met)}")

    # Most of what was asked for was traded: a day on which everything is halted would prove nothing.
    assert stack.rows(ENTRIES)[0][0] > accepted / 6, stack.rows(ENDS)
    assert {} == requests_made["limited"]
    assert all(met.values()) if IS_LONG else met.total() > 0


def ours(stack: Stack) -> list[Any]:
    """Our orders, fills, positions and balance, in the venue's numbers."""
    orders = stack.rows(
        "SELECT venue_order_id, state, filled_quantity, average_fill_price FROM orders "
        "WHERE venue_order_id IS NOT NULL ORDER BY 1"
    )
    fills = stack.rows("SELECT venue_fill_id, price, quantity, side, gross_pnl, fees, commissions FROM fill ORDER BY 1")
    positions = stack.rows("SELECT contract_id, direction, quantity FROM position WHERE quantity <> 0 ORDER BY 1")
    balance = stack.rows("SELECT balance FROM account")
    return [
        [(id_, state, filled, average and money(average).normalize()) for id_, state, filled, average in orders],
        [(id_, *(None if one is None else one if isinstance(one, str) else money(one).normalize() for one in rest))
         for id_, *rest in fills],
        positions,
        [(money(balance[0][0]).normalize(),)],
    ]  # fmt: skip


STATES = {1: "WORKING", 2: "FILLED", 3: "CANCELLED", 4: "EXPIRED", 5: "REJECTED", 6: "WORKING", 8: "SUSPENDED"}


def theirs(stack: Stack) -> list[Any]:
    """The venue's."""
    since = "2000-01-01T00:00:00Z"
    orders = at_venue(stack, "/api/Order/search", "orders", startTimestamp=since)
    fills = at_venue(stack, "/api/Trade/search", "trades", startTimestamp=since)
    positions = at_venue(stack, "/api/Position/searchOpen", "positions")
    accounts = stack.at_venue("/api/Account/search", onlyActiveAccounts=True)["accounts"]
    return [
        sorted(
            (row["id"], STATES[row["status"]], row["fillVolume"],
             None if row["filledPrice"] is None else money(row["filledPrice"]).normalize())
            for row in orders
        ),
        sorted(
            (row["id"], money(row["price"]).normalize(), money(row["size"]).normalize(), ("BUY", "SELL")[row["side"]],
             None if row["profitAndLoss"] is None else money(row["profitAndLoss"]).normalize(),
             money(row["fees"]).normalize(), money(row["commissions"]).normalize())
            for row in fills
        ),
        sorted((row["contractId"], "LONG" if row["type"] == 1 else "SHORT", row["size"]) for row in positions),
        [(money(accounts[0]["balance"]).normalize(),)],
    ]  # fmt: skip


def differences(ours: list[Any], theirs: list[Any]) -> list[Any]:
    """Return what only one of the two books holds."""
    return [
        (name, [row for row in one if row not in other][:10], [row for row in other if row not in one][:10])
        for name, one, other in zip(("orders", "fills", "positions", "balance"), ours, theirs, strict=True)
        if one != other
    ]
