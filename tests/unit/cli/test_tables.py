"""Tables of commands: whole in a file or pipe, and as wide as a terminal."""

import io
import re
import sys
from datetime import UTC, datetime

import pytest

from cli.console.output import print_table
from shared.clock import machine_now

LONG = "the venue refused the order, " * 10 + "and this is the end"


class Screen(io.StringIO):
    """Output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def print_reasons(*reasons: str) -> None:
    rows = [{"id": "one", "reason": reason, "count": 1} for reason in reasons]
    print_table("Alerts", rows, ("id", "reason", "count"), empty="None.")


def test_a_long_cell_goes_whole_into_a_pipe_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_reasons(LONG, "short")

    lines = capsys.readouterr().out.splitlines()
    assert 1 == sum(LONG in line for line in lines)
    assert [] == [line for line in lines if line != line.rstrip()]
    assert ["Alerts", "short"] == [lines[0], lines[-2].split()[1]]


@pytest.mark.parametrize("width", [40, 100])
def test_a_terminal_cuts_a_cell_at_its_width(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")  # one without abilities is always 80 wide

    print_reasons(LONG, "x" * width)

    text = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())
    assert width >= max(map(len, text.splitlines()))
    assert "…" in text
    assert "and this is the end" not in text
    assert width == text.count("x")


def test_a_date_of_another_year_has_its_year(capsys: pytest.CaptureFixture[str]) -> None:
    now = machine_now()
    old = datetime(now.year - 1, 12, 31, 23, 59, 58, tzinfo=UTC)
    print_table("Alerts", [{"at": now}, {"at": old}], ("at",), empty="None.")

    shown = capsys.readouterr().out
    assert f"{now:%m-%d %H:%M:%S}" in shown
    assert f"{now.year}" not in shown
    assert f"{old.year}-12-31 23:59" in shown


def test_an_empty_table_is_one_sentence_however_narrow_the_terminal_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    print_table("Alerts", [], ("id",), empty="No alerts yet: add a webhook with `tickwork hooks add NAME`.")

    assert "No alerts yet: add a webhook with `tickwork hooks add NAME`.\n" == capsys.readouterr().out
