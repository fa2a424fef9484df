"""Reads a recorded file of one-minute bars: CSV with the columns t,o,h,l,c,v, also gzipped."""

import csv
import gzip
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from shared.domain.market_data.bar import Bar, sort_bars, to_ticks
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import Root
from shared.errors import SettingsError

_EXPECTED = "expected rows t,o,h,l,c,v of one-minute bars"


@dataclass(frozen=True, slots=True)
class Recording:
    """The bars of a file, oldest first and one a minute, and what was not taken of it.

    `repeated_count` is how often a minute came again, of which the last bar counts, and `outside` the starts of bars
    outside the sessions of the root.
    """

    bars: list[Bar]
    repeated_count: int
    outside: list[datetime]

    @property
    def note(self) -> str:
        """What was not taken, "" if all was."""
        notes = []
        if self.outside:
            first = self.outside[0].isoformat().replace("+00:00", "Z")
            notes.append(f"left out {len(self.outside)} bars outside the sessions, the first of {first}")
        if self.repeated_count:
            notes.append(f"{self.repeated_count} minutes come twice, and the last bar of each counts")
        return "; ".join(notes)


def read_recording(file: Path, root: Root, *, keeps_outside: bool = False) -> Recording:
    """Read a file; with `keeps_outside` bars outside the sessions belong to it too.

    Raise SettingsError, with the line, for one that has no bars or anything else, a price between two ticks, a time
    without its offset from UTC or one that is no whole minute.
    """
    try:
        text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        rows = csv.DictReader(io.StringIO(text.decode()))
        read = [_read_bar(row, root, rows.line_num) for row in rows]
    except (OSError, EOFError, ValueError, csv.Error) as error:
        raise SettingsError(f"cannot replay {file}: {_describe(error)}") from error
    bars = sort_bars(read)
    calendar = assumed_calendar_of(root.group)
    outside = [] if keeps_outside else [bar.start for bar in bars if not calendar.is_open(bar.start)]
    left_out = frozenset(outside)
    taken = [bar for bar in bars if bar.start not in left_out]
    if not taken:
        raise SettingsError(f"cannot replay {file}: {_EXPECTED} in the sessions of {root.name}, found none")
    return Recording(taken, len(read) - len(bars), outside)


def _describe(error: Exception) -> str:
    match error:
        case _LineError():
            return str(error)
        case OSError(strerror=str() as why):
            return why.lower()
    return f"{error}: {_EXPECTED}"


class _LineError(ValueError):
    """A line that is not one bar."""


def _parse_start(text: str) -> datetime:
    start = datetime.fromisoformat(text)
    if start.tzinfo is None:
        raise ValueError(f"the time '{text}' has no offset from UTC: expected such as 2022-04-01T00:00:00Z")
    if start.second or start.microsecond:
        raise ValueError(f"the time '{text}' is no whole minute")
    return start.astimezone(UTC)


def _read_bar(row: dict[str, str], root: Root, line: int) -> Bar:
    try:
        start = _parse_start(row["t"])
        opened, high, low, closed = (to_ticks(Decimal(row[column]), root.tick_size) for column in "ohlc")
        volume = int(row["v"])
        return Bar(start, opened, high, low, closed, volume)
    except ValueError as error:
        raise _LineError(f"line {line}: {error}; {_EXPECTED}") from error
    except (KeyError, TypeError, InvalidOperation):
        values = ",".join("" if value is None else str(value) for value in row.values())
        raise _LineError(f"line {line}: invalid row '{values}'; {_EXPECTED}") from None
