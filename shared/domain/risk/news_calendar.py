"""The events of the trader's calendar files, and the news windows that follow from them."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.domain.risk.rule_book import NewsWindow
from shared.domain.years import YEARS, require_year
from shared.errors import RefusedError

MOST_EVENTS = 100  # of one account: every entry and every watch reads them
_LONGEST_NAME = 60
_YEARS = range(2000, 2101)
_COLUMNS = ("name", "at")


@dataclass(frozen=True, slots=True)
class NewsEvent:
    """An event of a calendar: its name, and its instant in market time."""

    name: str
    at: datetime


def to_event(line: int, name: str, at: datetime) -> NewsEvent:
    """Return an event with a name that a rule can hold; raise RefusedError, which names the line of the file."""
    printable = "".join(character if character.isprintable() and character not in ",;" else " " for character in name)
    plain = " ".join(printable.split())[:_LONGEST_NAME].strip()
    if not plain:
        raise RefusedError(f"line {line}: invalid name {name!r}: expected the event's name")
    if at.year not in _YEARS:
        raise RefusedError(f"line {line}: invalid year {at.year}: expected {_YEARS[0]} to {_YEARS[-1]}")
    return NewsEvent(plain, at.astimezone(UTC))


def parse_csv(text: str) -> list[NewsEvent]:
    """Return the events of a CSV text with the columns name and at, in its order; raise RefusedError with the line."""
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, restkey="", restval="")
    events = []
    try:
        missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise RefusedError(
                f"line 1: column {missing[0]!r} is missing: expected a header with {' and '.join(_COLUMNS)}"
            )
        for row in reader:
            if "" in row:
                raise RefusedError(f"line {reader.line_num}: too many values: quote a name that contains a comma")
            events.append(to_event(reader.line_num, row["name"], _parse_instant(reader.line_num, row["at"])))
    except csv.Error as error:
        raise RefusedError(f"line {reader.line_num}: {error}: expected CSV") from None
    return events


def to_window(event: NewsEvent) -> NewsWindow:
    """Return the window of an event: 5 minutes before to 5 minutes after, as the firm has it."""
    return NewsWindow(event.name, event.at)


def is_past(window: NewsWindow, market_now: datetime) -> bool:
    """Whether a window has ended."""
    return window.at + window.after < market_now


def merge_windows(
    windows: Iterable[NewsWindow], events: Iterable[NewsEvent], by_hand: Iterable[NewsWindow], market_now: datetime
) -> tuple[NewsWindow, ...]:
    """Return the windows and those of the events, in order of time, without the past and without duplicates.

    An event is a duplicate if a window with its name and instant is among them, or was set `by_hand`.
    """
    known = {(window.name, window.at) for window in by_hand}
    merged: dict[tuple[str, datetime], NewsWindow] = {}
    for window in (*windows, *map(to_window, events)):
        key = (window.name, window.at)
        if key not in known and not is_past(window, market_now):
            merged.setdefault(key, window)
    if len(merged) > MOST_EVENTS:
        raise RefusedError(
            f"{len(merged)} events are still to come: expected at most {MOST_EVENTS}; choose those that the firm names "
            "with --only"
        )
    return tuple(sorted(merged.values(), key=lambda window: (window.at, window.name)))


def _parse_instant(line: int, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text.strip())
        require_year(at)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise RefusedError(
            f"line {line}: invalid at {text!r}: expected a time with its offset, such as 2026-12-10T08:30-05:00, and "
            f"{YEARS}"
        )
    return at
