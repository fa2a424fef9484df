"""The options of every list: -o table|wide|json|csv, --columns and --watch, and the terminal it is printed on."""

import csv
import functools
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from enum import StrEnum
from threading import Event
from typing import NoReturn, TypeVar

import click

from cli.console.errors import wants_traceback
from shared.clock import machine_now
from shared.config import environment
from shared.domain.counting import count_of
from shared.domain.market_data.contract_text import shorten_contracts
from shared.log import mask_secrets

_Value = TypeVar("_Value")

_FORM, _COLUMNS, _SCREEN = "tickwork.form", "tickwork.columns", "tickwork.screen"
_PAUSE_S, _SHORTEST_PAUSE_S = 2.0, 0.2


class Form(StrEnum):
    """What a list is printed as."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    CSV = "csv"


def form_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add -o and --columns to a command that lists; it takes `as_json`."""

    @functools.wraps(function)
    def run(*args: object, form: str | None, columns: str | None, **kwargs: object) -> None:
        context = click.get_current_context()
        if form is not None:
            context.meta[_FORM] = Form(form)
            kwargs["as_json"] = kwargs["as_json"] or form == Form.JSON
        if columns is not None:
            if kwargs["as_json"]:
                raise click.UsageError("--columns chooses of a table or CSV: JSON has every field")
            context.meta[_COLUMNS] = _split(columns)
        function(*args, **kwargs)

    forms = click.Choice([form.value for form in Form])
    run = click.option("--columns", metavar="A,B", help="Only these columns, in this order.")(run)
    return click.option("-o", "--output", "form", type=forms, help="What to print; default: a table.")(run)


def list_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add -o, --columns and --watch to a command that lists; it takes `as_json`."""
    shown = form_options(function)

    @functools.wraps(shown)
    def run(*args: object, watch_s: float | None, **kwargs: object) -> None:
        context = click.get_current_context()
        call = functools.partial(shown, *args, **kwargs)
        if watch_s is None or context.invoked_subcommand is not None:
            call()
        elif kwargs["as_json"] or kwargs["form"] == Form.JSON:
            _stream(call, watch_s, _list_changed_json)
        elif kwargs["form"] == Form.CSV:
            _stream(call, watch_s, _list_new_rows)
        else:
            watch(call, watch_s)

    return click.option(
        "--watch",
        "watch_s",
        type=click.FloatRange(_SHORTEST_PAUSE_S, 3600),
        is_flag=False,
        flag_value=_PAUSE_S,
        metavar="[SECONDS]",
        help=f"Show it again every {_PAUSE_S:g} s, or so many, until Ctrl-C; as CSV what is new, as JSON what changed.",
    )(run)


def chosen_form() -> Form:
    """Return what the running command prints its list as."""
    return _read(_FORM, Form.TABLE)


def chosen_columns() -> tuple[str, ...]:
    """Return the columns that --columns names, none without it."""
    return _read(_COLUMNS, tuple[str, ...]())


def screen_width() -> int | None:
    """Return how many columns the terminal has; None for a file or pipe."""
    return shutil.get_terminal_size().columns if _read(_SCREEN, sys.stdout.isatty()) else None


def has_forms() -> bool:
    """Whether the running command has -o."""
    context = click.get_current_context(silent=True)
    return context is None or any(option.name == "form" for option in context.command.params)


def may_color() -> bool:
    """Whether what is printed may have colours: at a terminal, without NO_COLOR."""
    return screen_width() is not None and not environment().get("NO_COLOR")


def echo_note(text: str) -> None:
    """Print a line beside a list; not into CSV."""
    if chosen_form() is not Form.CSV:
        click.echo(shorten_contracts(text))


def _read(name: str, default: _Value) -> _Value:
    context = click.get_current_context(silent=True)
    return default if context is None else context.meta.get(name, default)


def _split(columns: str) -> tuple[str, ...]:
    chosen = tuple(name.strip().replace(" ", "_") for name in columns.split(",") if name.strip())
    if not chosen:
        raise click.UsageError(f"invalid --columns {columns!r}: expected names with commas between them")
    return chosen


def watch(call: Callable[[], None], every_s: float) -> NoReturn:
    """Print again and again, each time over the last: at a terminal on a screen of its own, until Ctrl-C.

    What cannot be read any more leaves the last picture, below a line that says since when; the first must be read.
    """
    is_screen = sys.stdout.isatty()
    click.get_current_context().meta[_SCREEN] = is_screen
    if is_screen:
        click.echo("\x1b[?1049h\x1b[?25l", nl=False)
    last, failed_at = None, None
    try:
        while True:
            try:
                last, failed_at = _capture(call), None
                shown = last
            except (click.exceptions.Abort, click.exceptions.Exit, click.ClickException):
                raise
            except Exception as error:
                if last is None or wants_traceback():
                    raise
                failed_at = failed_at or machine_now()
                shown = f"No answer since {failed_at:%H:%M:%S} UTC: {_describe(error)}\n\n{last}"
            _show(shown, is_screen=is_screen)
            Event().wait(every_s)
    finally:
        if is_screen:
            click.echo("\x1b[?25h\x1b[?1049l", nl=False)


def _describe(error: Exception) -> str:
    from cli.client.failures import describe_failure  # noqa: PLC0415  # of a failure alone

    return mask_secrets(" ".join(describe_failure(error).split()))


def _stream(call: Callable[[], None], every_s: float, list_new: Callable[[str, str], Iterable[str]]) -> NoReturn:
    """Print for another program, again and again, what a list says that it did not say the time before."""
    before = ""
    while True:
        text = _capture(call)
        for line in list_new(before, text):
            click.echo(line)
        sys.stdout.flush()
        before = text
        Event().wait(every_s)


def _list_changed_json(before: str, text: str) -> list[str]:
    """Return the list as one line of JSON, if it has changed."""
    return [] if text == before else [json.dumps(json.loads(text))]


def _list_new_rows(before: str, text: str) -> Iterator[str]:
    """Yield the heading the first time, and each row of CSV that is new or has changed, the last of the list first."""
    known = set(_read_csv(before))
    heading, *rows = _read_csv(text)
    for row in [heading, *rows[::-1]]:
        if row not in known:
            line = io.StringIO()
            csv.writer(line, lineterminator="").writerow(row)
            yield line.getvalue()


def _read_csv(text: str) -> list[tuple[str, ...]]:
    return list(map(tuple, csv.reader(io.StringIO(text, newline=""))))


def _capture(call: Callable[[], None]) -> str:
    text = io.StringIO()
    with redirect_stdout(text):
        call()
    return text.getvalue()


def _show(text: str, *, is_screen: bool) -> None:
    if not is_screen:
        click.echo(text)
        sys.stdout.flush()
        return
    size = shutil.get_terminal_size()
    lines = _fit_height(text.rstrip("\n").split("\n"), size.columns, size.lines - 1)
    click.echo("\x1b[H" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J", nl=False)
    sys.stdout.flush()


def _fit_height(lines: list[str], width: int, height: int) -> list[str]:
    """Return the lines that a screen has room for; the last one says how many more there are."""
    rows = [max(1, -(-len(click.unstyle(line)) // width)) for line in lines]
    if sum(rows) <= height:
        return lines
    count = next(count for count in range(len(lines), -1, -1) if sum(rows[:count]) < height)
    return [*lines[:count], f"{count_of(len(lines) - count, 'line')} more: a higher terminal shows all"]
