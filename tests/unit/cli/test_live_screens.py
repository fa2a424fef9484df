"""Live screens whose readings fail: the last picture stays, below a line that says since when."""

import re
import sys
from collections.abc import Callable, Iterator

import click
import pytest

from cli.console.list_options import watch
from shared.errors import SettingsError
from tests.unit.cli.test_tables import Screen


def watch_readings(monkeypatch: pytest.MonkeyPatch, *readings: Callable[[], str]) -> list[str]:
    """Return the pictures that a terminal shows of these readings, until Ctrl-C ends the watch in the one after."""
    left: Iterator[Callable[[], str]] = iter(readings)

    def show() -> None:
        reading = next(left, None)
        if reading is None:
            raise KeyboardInterrupt
        click.echo(reading())

    screen = Screen()
    with monkeypatch.context() as patched, click.Context(click.Command("top")):
        patched.setattr(sys, "stdout", screen)
        patched.setenv("COLUMNS", "80")
        patched.setenv("LINES", "20")
        with pytest.raises(KeyboardInterrupt):
            watch(show, 0.01)
    return [picture.replace("\x1b[K", "") for picture in screen.getvalue().split("\x1b[H")[1:]]


def fail(error: Exception) -> Callable[[], str]:
    def read() -> str:
        raise error

    return read


def test_the_last_picture_stays_below_a_line_that_says_since_when_nothing_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away = fail(SettingsError("no stack runs in /home/a trader/.tickwork: start one with `tickwork up`"))
    first, second, third, last = watch_readings(monkeypatch, lambda: "2 MNQ long", away, away, lambda: "flat")

    assert "No answer" not in first + last
    told = re.compile(r"No answer since (\d\d:\d\d:\d\d) UTC: no stack runs in .*`tickwork up`\n\n2 MNQ long\n")
    since, still_since = told.search(second), told.search(third)
    assert since
    assert still_since
    assert since[1] == still_since[1]
    assert last.startswith("flat\n")


def test_a_fault_of_ours_is_named_and_does_not_end_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    _, second = watch_readings(monkeypatch, lambda: "2 MNQ long", fail(ValueError("oh")))

    assert "UTC: oh (ValueError): a fault of Tickwork; --traceback shows where\n\n2 MNQ long" in second


@pytest.mark.parametrize("error", [SettingsError("no stack runs"), click.UsageError("invalid --columns")])
def test_a_first_reading_that_fails_ends_the_command(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(sys, "stdout", Screen())
    with click.Context(click.Command("top")), pytest.raises(type(error)):
        watch(fail(error), 0.01)  # type: ignore[arg-type]  # it raises
