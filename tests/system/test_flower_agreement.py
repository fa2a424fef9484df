"""Flower beside the rows of `job`, job by job, after a session in which alerts were accepted, denied and rejected."""

from typing import Any

import pytest
import requests

from shared.ledger.jobs import job_names_with
from tests.fixtures.stack import ALERT, Stack, eventually

pytestmark = pytest.mark.timeout(900)

STATES = {"succeeded": "SUCCESS", "failed": "DENIED", "dead": "FAILURE", "cancelled": "REVOKED", "expired": "EXPIRED"}
BEYOND_THE_MARKET = ALERT | {"limit_price": 90_000, "order_type": "limit", "symbol": "MES"}


def read_flower(stack: Stack) -> dict[str, tuple[str, str]]:
    """Return name and state of each task that Flower shows, by its id."""
    url = f"{stack.written()['urls']['flower']}/tasks/datatable"
    page = {"draw": "1", "start": "0", "length": "10000", "order[0][column]": "0", "columns[0][data]": "name"}
    rows: list[dict[str, Any]] = requests.get(url, params=page, timeout=60).json()["data"]
    return {row["uuid"]: (row["name"], row["state"]) for row in rows}


def count_failures(stack: Stack) -> int:
    """Return the failures that Flower counts, of all workers."""
    workers = requests.get(f"{stack.written()['urls']['flower']}/workers?json=1", timeout=60).json()["data"]
    return sum(worker.get("task-failed", 0) for worker in workers)


def test_flower_shows_each_job_as_its_row_does(stack: Stack) -> None:
    stack.up("--at", "2026-03-09T09:00", "--speed", "30")
    hook = stack.hook()
    ((began_at,),) = stack.rows("SELECT now()")
    sent = [ALERT, ALERT | {"quantity": 99}, BEYOND_THE_MARKET, ALERT | {"symbol": "MES", "action": "sell"}] * 3
    for alert in sent:
        assert requests.post(hook, json=alert, timeout=60).status_code == requests.codes.accepted
    eventually(
        "two market minutes have been evaluated",
        lambda: len(stack.rows("SELECT DISTINCT closed_until_market_at FROM strategy_run")) >= 3,
    )
    stack.flatten()
    ((until_at,),) = stack.rows("SELECT now()")
    jobs = "SELECT id::text, name, state FROM job WHERE enqueued_at BETWEEN %s AND %s AND name <> ALL(%s)"
    probes = job_names_with("is_probe")

    def list_differences() -> list[object]:
        shown = read_flower(stack)
        expected = {
            id_: (name, STATES.get(state, state)) for id_, name, state in stack.rows(jobs, began_at, until_at, probes)
        }
        return [(id_, row, shown.get(id_)) for id_, row in expected.items() if shown.get(id_) != row]

    eventually("Flower shows every job as its row does", lambda: not list_differences(), explain=list_differences)

    states = {(name, state) for _, name, state in stack.rows(jobs, began_at, until_at, probes)}
    assert {
        ("alerts.handle_alert", "succeeded"), ("alerts.handle_alert", "failed"), ("orders.place_order", "succeeded"),
        ("orders.place_order", "failed"), ("orders.apply_execution_reports", "succeeded"),
    } <= states  # fmt: skip
    assert 0 == count_failures(stack)
