"""Every table at 80, 120 and 200 columns, as it was last agreed on; TICKWORK_WRITE_TABLES=1 writes them anew."""

import os
import pkgutil
import re
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import cli
from cli.console.table import Table
from shared.clock import machine_now
from tests.unit.cli.test_tables import Screen

FOLDER = Path(__file__).parent / "tables"
WIDTHS = (80, 120, 200)
NOW = machine_now().replace(month=11, day=29, hour=14, minute=30, second=5, microsecond=0)
LONG = "loss limit of the day reached: 1,000.00 of 1,000.00 dollars; entries wait until 17:00 Chicago"
TEXTS = {
    "account": "50KTC-V2-20001-58378919",
    "account_name": "50KTC-V2-20001-58378919",
    "act": "change_rules",
    "action": "TARGET",
    "after": "daily_loss_limit=800",
    "before": "daily_loss_limit=1000",
    "chicago": "12-10 13:00",
    "clock": "machine",
    "contract": "CON.F.US.MNQ.Z26",
    "contract_id": "CON.F.US.MNQ.Z26",
    "decision": "enter_long",
    "dialect": "tradingview",
    "direction": "SHORT",
    "endpoint": "/api/History/retrieveBars",
    "error_rate": "86.0 %",
    "fault": "outside_session",
    "followers": "20002 x 0.5, 20003",
    "hook": "mnq-breakout",
    "job": "succeeded",
    "job_name": "market_data.fetch_bars",
    "kind": "MODIFY",
    "live_orders": "simulated",
    "missed": "run_once",
    "of_allowance": "█" * 20 + " 100%",
    "order": "FILLED",
    "origin": "strategy",
    "queue": "background",
    "record": "2024-12-01T23:00:00Z,2673.8,2678.3,2672.0,2673.75,384",
    "role": "TAKE_PROFIT",
    "root": "MNQ",
    "rule": "daily_loss_limit",
    "scheme": "tradingview",
    "side": "SELL",
    "signal": "accepted",
    "stage": "combine",
    "state": "SUBMITTING",
    "stop": "2 at 26517.25",
    "strategy": "overnight_range",
    "trades": "yes",
    "type": "STOP",
    "verdict": "accepted",
    "venue": "flat",
    "who": "root",
}
PRICES = {"average", "average_fill_price", "average_price", "close", "entry_price", "exit_price", "high", "limit_price",
          "low", "open", "price", "stop_price", "target"}  # fmt: skip
MONEY = {"allowance", "amount", "average_loss", "average_mae", "average_mfe", "average_win", "balance", "commissions",
         "costs", "equity", "expectancy", "fees", "gross", "gross_pnl", "headroom", "mae", "max_drawdown", "mfe", "net",
         "open_profit", "profit_factor", "result", "used"}  # fmt: skip
COUNTS = {"account_id", "attempt", "bars", "canary_age_s", "cancelled", "count", "covered_minutes", "cpu_percent",
          "dead", "expired", "failed", "filled_quantity", "gap_minutes", "line_number", "losses", "memory_mb",
          "new", "no_trade_minutes", "pid", "processes", "quantity", "queued", "refused", "repeated", "replaced",
          "restarts", "running", "succeeded", "sweeps", "target_position", "unchanged", "volume", "wins"}  # fmt: skip
INSTANTS = {"first", "last_alert", "last_slot", "newest", "since", "start", "until"}
SENTENCES = {"blocked", "detail", "error", "finding", "halted", "message", "reason", "source", "still_needed", "why"}


def sample(column: str) -> Any:  # noqa: PLR0911  # one for each kind of value
    """Return a long value of a column."""
    if column in TEXTS:
        return TEXTS[column]
    if column in PRICES:
        return Decimal("26517.25")
    if column in MONEY:
        return Decimal("-12345.50")
    if column in COUNTS or column.endswith(("_count", "_ms", "_s")):
        return 12345
    if column == "id":
        return UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    if column == "held":
        return timedelta(hours=2, minutes=3)
    if column.endswith(("_at", "_until")) or column in INSTANTS:
        return NOW
    return LONG if column in SENTENCES else "some_value"


def find_tables() -> dict[str, Table]:
    """Return every table of the command line, by the first module that has it, and its name."""
    found: dict[int, tuple[str, Table]] = {}
    for module in pkgutil.walk_packages(cli.__path__, "cli."):
        if module.name == "cli.local.processes.preload":  # to import it is to become the process that `up` forks from
            continue
        for name, value in vars(import_module(module.name)).items():
            if isinstance(value, Table):
                found.setdefault(id(value), (f"{module.name.rpartition('.')[2]}.{name}", value))
    return dict(found.values())


TABLES = find_tables()


def draw(table: Table, width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a table of two rows, the second with empty cells, as a terminal of that width shows it."""
    screen = Screen()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", screen)
        patched.setenv("COLUMNS", str(width))
        patched.setenv("NO_COLOR", "1")
        rows = [{column: sample(column) for column in table.columns}]
        rows.append({column: value if column == table.columns[0] else None for column, value in rows[0].items()})
        table.print(rows, empty="")
    return screen.getvalue()


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_the_layout_that_was_agreed_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = {width: draw(TABLES[name], width, monkeypatch) for width in WIDTHS}
    text = "".join(f"{width} columns\n{drawn[width]}\n" for width in WIDTHS)
    file = FOLDER / f"{name}.txt"
    if os.environ.get("TICKWORK_WRITE_TABLES"):
        FOLDER.mkdir(exist_ok=True)
        file.write_text(text)

    assert file.read_text() == text
    for width, shown in drawn.items():
        assert width >= max(map(len, shown.splitlines())), shown


@pytest.mark.parametrize("name", TABLES)
def test_no_number_of_a_table_is_cut_however_narrow_the_terminal_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = replace(TABLES[name], spare=())
    shown = draw(table, 40, monkeypatch)

    for column in table.columns:
        if isinstance(value := sample(column), int | Decimal):
            assert re.search(rf"(?<![\d.]){re.escape(str(value).rstrip('0').rstrip('.'))}0*(?![\d])", shown), column


def test_every_layout_is_one_of_a_table() -> None:
    assert {f"{name}.txt" for name in TABLES} == {file.name for file in FOLDER.glob("*.txt")}
