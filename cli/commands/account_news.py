"""`tickwork accounts news`: the events of a calendar file, around which the rules allow no new position."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from cli.client.change_check import confirm, current_actor
from cli.client.lookup import resolve_accounts
from cli.client.risk_view import require_market
from cli.client.stack import begin, connect
from cli.console.groups import CommandGroup
from cli.console.output import print_json
from cli.console.params import json_option, reason_option, yes_option
from cli.console.table import Table
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.risk.account_books import book_of
from shared.domain.accounts.stage import Stage, parse_stage
from shared.domain.counting import count_of
from shared.domain.risk.findings import chicago_time
from shared.domain.risk.icalendar import parse_icalendar
from shared.domain.risk.news_calendar import NewsEvent, is_past, merge_windows, parse_csv, to_window
from shared.domain.risk.rule_book import NewsWindow
from shared.domain.risk.rule_changes import format_news
from shared.errors import RefusedError

_PARSERS = {".ics": parse_icalendar, ".csv": parse_csv}
_LARGEST = 5_000_000  # bytes of a file
EVENTS = Table("Events", ("event", "chicago", "no_entry_from", "until"))
_RULE = "imported_news"


@click.group("news", cls=CommandGroup)
def news() -> None:
    """Import the events around which no new position is allowed. Only you supply their times."""


@news.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--account", "account_word", metavar="ACCOUNT", help="Only this account, by id or name; default: all.")
@click.option("--only", "words", metavar="TEXT", multiple=True, help="Only events with this in their name; repeatable.")
@click.option("--replace", "is_replaced", is_flag=True, help="Remove the events of earlier imports.")
@reason_option
@yes_option
@json_option
def import_news(
    file: Path,
    account_word: str | None,
    words: tuple[str, ...],
    *,
    is_replaced: bool,
    reason: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Import the events of FILE, iCalendar (.ics) or CSV with a header (name,at).

    From 5 minutes before to 5 minutes after each event, minis of share indexes are not entered. Times are market time.
    Past events are skipped, and so are those that are set already. `accounts rules ACCOUNT imported_news=none` removes
    all.
    """
    events = [event for event in _read_events(file) if _is_chosen(event, words)]
    with connect() as connection:
        rows = _list_accounts(connection, account_word)
        market_now = require_market(connection).clock.now()
    past_count = sum(is_past(to_window(event), market_now) for event in events)
    if past_count == len(events) and (is_replaced or not events):
        raise RefusedError(f"no event in '{file}' is still to come: nothing was changed")
    changes = [_plan(row, events, market_now, is_replaced=is_replaced) for row in rows]
    changes = [change for change in changes if change.after != change.before]
    windows = sorted({window for change in changes for window in change.added}, key=lambda window: window.at)
    removed_count = max((len(change.removed) for change in changes), default=0)
    if changes and not as_json:
        EVENTS.print(list(map(_to_cells, windows)), empty="No event is added.")
    if changes and not yes:
        names = ", ".join(f"{change.row.id} ({change.row.name})" for change in changes)
        removing = f" and remove {count_of(removed_count, 'earlier one')}" if removed_count else ""
        confirm(f"Import {count_of(len(windows), 'event')}{removing} on {names}?", "import them", as_json=as_json)
    with begin() as connection:
        for change in changes:
            row = accounts.lock(connection, change.row.id) or change.row
            _store(connection, _plan(row, events, market_now, is_replaced=is_replaced), file.name, reason)
    if as_json:
        changed = [
            {"id": one.row.id, "added_count": len(one.added), "removed_count": len(one.removed)} for one in changes
        ]
        print_json({"events": list(map(_to_row, windows)), "accounts": changed, "past_count": past_count})
    elif changes:
        click.echo(f"Imported {count_of(len(windows), 'event')}; {past_count} in the file are past.")
    else:
        click.echo(f"Nothing to import: {past_count} of {count_of(len(events), 'event')} are past, the rest is set.")


@dataclass(frozen=True, slots=True)
class _Change:
    """The imported windows of an account, before and after; the past counts neither as added nor as removed."""

    row: AccountRow
    before: tuple[NewsWindow, ...]
    after: tuple[NewsWindow, ...]

    @property
    def added(self) -> tuple[NewsWindow, ...]:
        return tuple(window for window in self.after if window not in self.before)

    @property
    def removed(self) -> tuple[NewsWindow, ...]:
        return tuple(window for window in self.before if window not in self.after)


def _read_events(file: Path) -> list[NewsEvent]:
    parse = _PARSERS.get(file.suffix.lower())
    if parse is None:
        raise RefusedError(f"invalid calendar file '{file}': expected a name that ends with {' or '.join(_PARSERS)}")
    if file.stat().st_size > _LARGEST:
        raise RefusedError(f"'{file}' is too large: expected at most {_LARGEST // 1_000_000} MB")
    try:
        return parse(file.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise RefusedError(f"'{file}' is not UTF-8: save it as UTF-8") from None
    except RefusedError as error:
        raise RefusedError(f"'{file}', {error}") from None


def _is_chosen(event: NewsEvent, words: tuple[str, ...]) -> bool:
    return not words or any(word.lower() in event.name.lower() for word in words)


def _list_accounts(connection: Connection, word: str | None) -> list[AccountRow]:
    """Return the named account; without a name, every account that has rules."""
    rows = resolve_accounts(connection, word)
    return [row for row in rows if word is not None or row.preset or parse_stage(row.name) is not Stage.UNKNOWN]


def _plan(row: AccountRow, events: list[NewsEvent], market_now: datetime, *, is_replaced: bool) -> _Change:
    book = book_of(row)
    before = merge_windows(book.imported_news, (), (), market_now)
    kept = () if is_replaced else before
    return _Change(row, before, merge_windows(kept, events, book.news, market_now))


def _store(connection: Connection, change: _Change, file_name: str, reason: str | None) -> None:
    """Set the windows of an account, whose row is locked."""
    row = change.row
    rule_changes = {name: text for name, text in row.rule_changes.items() if name != _RULE}
    if change.after:
        rule_changes[_RULE] = format_news(change.after)
    book_of(replace(row, rule_changes=rule_changes))
    accounts.change_by_hand(
        connection, row, current_actor(), "rules", reason=reason, preset=row.preset, rule_changes=rule_changes
    )
    removed = f", {len(change.removed)} removed" if change.removed else ""
    added = count_of(len(change.added), "news event")
    accounts.record_event(connection, row.id, "rules", f"{added} of {file_name} imported{removed}, by hand")


def _to_row(window: NewsWindow) -> dict[str, Any]:
    return {
        "event": window.name,
        "market_at": window.at,
        "no_entry_from_market_at": window.at - window.before,
        "no_entry_until_market_at": window.at + window.after,
    }


def _to_cells(window: NewsWindow) -> dict[str, str]:
    return {
        "event": window.name,
        "chicago": chicago_time(window.at),
        "no_entry_from": chicago_time(window.at - window.before),
        "until": chicago_time(window.at + window.after),
    }
