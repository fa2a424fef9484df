"""Tables at a terminal that is too narrow for all of their columns."""

import re
from decimal import Decimal

import pytest

from cli.commands import alerts, orders
from cli.console.table import Table
from shared.clock import machine_now
from tests.unit.cli.test_tables import LONG, ORDER, show

NOW = machine_now().replace(month=1, day=5, hour=14, minute=30, second=5)
ALERT = {
    "id": ORDER, "received_at": NOW, "hook": "mnq-breakout", "action": "BUY", "root": "MNQ", "quantity": 1,
    "verdict": "accepted", "job": "succeeded", "signal": "denied", "order": "DENIED", "submitted_ms": 123,
}  # fmt: skip
ORDER_ROW = {
    "id": ORDER, "created_at": NOW, "account_name": "50KTC-V2-20001-58378919", "contract_id": "CON.F.US.MNQ.Z26",
    "role": "STOP_LOSS", "side": "SELL", "quantity": 1, "type": "STOP", "state": "CANCELLED",
    "price": Decimal("26517.25"), "stop_price": Decimal("26517.25"), "origin": "alert",
}  # fmt: skip


def test_the_account_goes_first_where_there_is_one_and_last_where_there_are_several(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = Table("Fills", ("account_name", "id", "origin"), spare=("account_name", "origin"))
    row = {"id": ORDER, "origin": "x" * 60}
    names = ("50KTC-V2-20001-58378919", "PRACTICE-20002")
    one, several = ([row | {"account_name": name} for name in chosen] for chosen in (names[:1] * 2, names))

    assert "Not shown: account (-o" in show(monkeypatch, table, one, 70)
    shown = show(monkeypatch, table, several, 70)
    assert "Not shown: origin (-o" in shown
    assert ["50KTC-8919", "PRACTICE-0002"] == re.findall(r"\S+-\d{4}", shown)


def test_a_long_reason_makes_no_other_column_vanish_and_stands_whole_below_its_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = show(monkeypatch, alerts.ALERTS, [ALERT | {"reason": LONG}, ALERT], 80).splitlines()

    assert "received" in shown[1]
    assert LONG.split() == " ".join(shown[4:-3]).split()[1:]
    assert 2 == sum(line.startswith("099a8057") for line in shown)
    assert [] == [line for line in shown if len(line) > 80]


def test_an_ordinary_order_shows_its_role_and_its_minute_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = show(monkeypatch, orders.ORDERS, [ORDER_ROW | {"reason": LONG}], 80)

    assert "099a8057  01-05 14:30  MNQ Z26   STOP_LOSS  SELL         1  CANCELLED  26517.25" in shown
    assert "099a8057  01-05 14:30:05  MNQ Z26" in show(monkeypatch, orders.ORDERS, [ORDER_ROW], 120)


def test_what_columns_leave_room_for_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table("Jobs", ("id", "at", "worker", "error"), spare=("worker",))
    rows = [{"id": "one", "at": ORDER_ROW["created_at"], "worker": "x" * 80, "error": "a short error of the worker"}]
    line = show(monkeypatch, table, rows, 80).splitlines()[3]

    assert ["one", "01-05 14:30:05", "a short error of the worker"] == re.split("  +", line)


def test_a_word_is_broken_only_if_it_is_wider_than_its_column(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["tickwork", "accounts", "take-over", str(ORDER), "max_trades_per_day=4", "y" * 50]
    shown = show(monkeypatch, Table("Audit", ("id", "reason")), [{"id": 1, "reason": " ".join(words)}], 44)

    assert words[:-1] == shown.split()[5:-2]
    assert words[-1] == "".join(shown.split()[-2:])
