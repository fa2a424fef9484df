"""Lists that are watched for another program: as CSV and JSON, without codes of a screen."""

import csv
import io
import json
import sys
from threading import Event
from typing import Any

import click
import pytest

from cli.console.list_options import list_options
from cli.console.output import print_json
from cli.console.params import json_option
from cli.console.table import Table
from tests.unit.cli.test_tables import Screen


def watch_list(monkeypatch: pytest.MonkeyPatch, *options: str) -> str:
    """Return what a terminal gets of a list that is watched for three rounds, and has changed before each."""
    orders: list[dict[str, Any]] = [{"id": 1, "state": "WORKING"}]
    changes = iter([{"id": 2, "state": 'of "two"\nlines'}, {"id": 3, "state": "FILLED"}])

    @click.command()
    @json_option
    @list_options
    def command(*, as_json: bool) -> None:
        if as_json:
            print_json({"orders": orders})
        else:
            Table("Orders", ("id", "state"), is_list=True).print(orders, empty="")

    class Pause(Event):
        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002  # threading's signature
            change = next(changes, None)
            if change is None:
                raise KeyboardInterrupt
            orders[0] = orders[0] | {"state": "CANCELLED"}
            orders.insert(0, change)
            return False

    screen = Screen()
    with monkeypatch.context() as patched:
        patched.setattr("cli.console.list_options.Event", Pause)
        patched.setattr(sys, "stdout", screen)
        with pytest.raises(click.Abort):
            command.main(["--watch", *options], standalone_mode=False)
    return screen.getvalue()


def test_a_watched_list_as_csv_is_its_heading_once_and_then_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = list(csv.reader(io.StringIO(watch_list(monkeypatch, "-o", "csv"))))

    assert ["id", "state"] == rows[0]
    assert [
        ["1", "WORKING"],
        ["1", "CANCELLED"],
        ["2", 'of "two"\nlines'],
        ["2", "CANCELLED"],
        ["3", "FILLED"],
    ] == rows[1:]


@pytest.mark.parametrize("options", [("-o", "json"), ("--json",)])
def test_a_watched_list_as_json_is_a_line_for_each_change(
    monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    found = [json.loads(line) for line in watch_list(monkeypatch, *options).splitlines()]

    assert [1, 2, 3] == [len(one["orders"]) for one in found]
