"""A recorded market at sixty times its pace: bars equal to the file's, evaluations, and an alert that fills."""

import csv
import gzip
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.fixtures.stack import ALERT, Stack, eventually

pytestmark = pytest.mark.timeout(900)
CONTRACT = "CON.F.US.MGC.M22"


def read_recording(file: Path) -> dict[datetime, tuple[Decimal, ...]]:
    with gzip.open(file, "rt") as opened:
        return {
            datetime.fromisoformat(row["t"]): tuple(Decimal(row[name]) for name in "ohlcv")
            for row in csv.DictReader(opened)
        }


def list_missing(stack: Stack, file: dict[datetime, tuple[Decimal, ...]]) -> set[datetime]:
    """Return the bars of the file up to our newest bar that are not stored."""
    here = {row[0] for row in stack.rows("SELECT start FROM bars WHERE timeframe = '1m'")}
    return {start for start in file if start <= max(here)} - here


def test_a_recorded_market_flows_is_evaluated_and_trades(stack: Stack, recorded_bars: Path) -> None:
    stack.up("--replay", str(recorded_bars), "--speed", "60")
    url = stack.hook()
    stack.loosen_rules()  # the strategy's losses must not deny the alert
    eventually("new bars", lambda: stack.rows("SELECT 1 FROM bars WHERE start >= '2022-04-03 22:08+00'"), 90)
    eventually(
        "an evaluation",
        lambda: stack.rows("SELECT 1 FROM job WHERE name = 'strategies.evaluate_strategy' AND state = 'succeeded'"),
        90,
    )
    alert = ALERT | {"symbol": "MGC1!", "stop_loss_ticks": 2000, "take_profit_ticks": 2000}
    answer = requests.post(url, json=alert, timeout=60)
    assert 202 == answer.status_code, answer.text
    job_id = answer.json()["job_id"]
    assert "succeeded" == stack.wait_for_end(job_id, 90), stack.job(job_id)
    eventually(
        "the entry is filled",
        lambda: stack.rows("SELECT 1 FROM orders WHERE role = 'ENTRY' AND state = 'FILLED' AND origin = 'alert'"),
    )

    assert [(CONTRACT,)] == stack.rows("SELECT DISTINCT contract FROM bars")
    file = read_recording(recorded_bars)
    held = stack.rows("SELECT start, open, high, low, close, volume FROM bars WHERE timeframe = '1m' ORDER BY start")
    assert len(held) > 1000
    wrong = [row for row in held if file.get(row[0]) != tuple(row[1:])]
    assert [] == wrong
    # Bars may arrive out of order.
    eventually(
        "every bar of the file is here",
        lambda: not list_missing(stack, file),
        explain=lambda: list_missing(stack, file),
    )
    account = stack.rows("SELECT id FROM account")[0][0]
    ours = {row[0] for row in stack.rows("SELECT venue_fill_id FROM fill")}  # before the venue's: it trades on
    at_venue: list[dict[str, Any]] = stack.at_venue(
        "/api/Trade/search", accountId=account, startTimestamp="2022-01-01T00:00:00Z"
    )["trades"]
    assert {trade["id"] for trade in at_venue} >= ours
    status = stack.status()
    assert status is not None
    assert ("replay", 60, False) == tuple(status["market"][name] for name in ("kind", "speed", "is_over"))
