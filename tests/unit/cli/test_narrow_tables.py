"""Tables at a terminal that is too narrow for all of their columns."""

import re

import pytest

from cli.console.table import Table
from tests.unit.cli.test_tables import ORDER, show


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
