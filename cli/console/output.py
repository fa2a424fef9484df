"""Output of commands: aligned tables for a terminal, JSON for scripts."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import click
from rich import box
from rich.console import Console
from rich.table import Table

from shared.clock import machine_now

_NUMBERS = (int, Decimal)
_UNLIMITED = 1_000_000  # the width of a file or pipe: a table in it is as wide as its widest row


def print_json(value: object) -> None:
    """Write `value` to stdout as JSON; instants in ISO 8601, decimals as exact text."""
    json.dump(value, sys.stdout, default=_plain, indent=2)
    sys.stdout.write("\n")


def print_json_line(value: object) -> None:
    """Write `value` to stdout as one line of JSON, at once: the reader may follow the output."""
    sys.stdout.write(json.dumps(value, default=_plain) + "\n")
    sys.stdout.flush()


def print_outcome(done: str, changed: Sequence[UUID], refused: Sequence[str], *, as_json: bool) -> None:
    """Print the changed rows with the participle `done`, and each refusal; exit with status 1 after a refusal."""
    if as_json:
        print_json({done: changed, "refused": refused})
    else:
        for one in changed:
            click.echo(f"{done} {one}")
        if not changed and not refused:
            click.echo("Nothing to do.")
        for reason in refused:
            click.echo(f"tickwork: {reason}", err=True)
    if refused:
        raise click.exceptions.Exit(1)


def _plain(value: object) -> str | float:
    match value:
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal() | UUID() | Enum():
            return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form here")


def print_table(title: str, rows: Sequence[dict[str, Any]], columns: Sequence[str], *, empty: str) -> None:
    """Print `columns` of the rows, numbers aligned right; print `empty` when there are no rows.

    A terminal wraps a long cell and cuts it at the terminal's width; into a file or pipe every cell goes whole, on one
    line.
    """
    if not rows:
        click.echo(empty)
        return
    console = Console(markup=False)  # the text of a job or a venue is not markup
    if not console.is_terminal:
        console.width = _UNLIMITED
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        is_number = all(isinstance(row[column], _NUMBERS) for row in rows if row[column] is not None)
        is_identifier = column in {"id", "contract", "name"}
        shown.add_column(
            column.replace("_", " "),
            justify="right" if is_number else "left",
            no_wrap=is_identifier,
            overflow="ellipsis" if is_identifier else "fold",
        )
    for row in rows:
        shown.add_row(*(_text(row[column], console.width) for column in columns))
    if console.is_terminal:
        console.print(shown)
        return
    with console.capture() as printed:
        console.print(shown)
    click.echo("\n".join(line.rstrip() for line in printed.get().split("\n")), nl=False)


def _text(value: object, width: int) -> str:
    match value:
        case None:
            return "-"
        case datetime():
            is_this_year = value.year == machine_now().year
            return f"{value:%m-%d %H:%M:%S}" if is_this_year else f"{value:%Y-%m-%d %H:%M}"
        case Decimal():
            return f"{value.normalize():f}"
        case str():
            line = value.strip().splitlines()[-1] if value.strip() else ""
            return line if len(line) <= width else line[: width - 1] + "…"
        case _:
            return str(value)


def describe_none(rows: str, **chosen: object) -> str:
    """Return the sentence for an empty list of `rows`: it names the options that were given, which are not None."""
    given = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in chosen.items() if value is not None)
    return f"No {rows} with {given}." if given else f"No {rows} yet."


def print_fields(fields: Mapping[str, str]) -> None:
    """Print names and values in two aligned columns."""
    width = max(map(len, fields))
    for name, value in fields.items():
        click.echo(f"{name:<{width}}  {value}")
