"""Tables for a person: as wide as the terminal, where the least important columns go first and no number is cut."""

import csv
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import click

from cli.console.cells import format_column, heading_of, is_account_column, is_number_column, style_of
from cli.console.escape import escape_formula
from cli.console.list_options import Form, chosen_columns, chosen_form, has_forms, may_color, screen_width

_GAP = 2
_LEAST_FOLDED = 20  # the least width of a column whose texts wrap
_LONGEST_WORD = 36  # of those that a column is made wide enough for: a whole id
_BELOW = " " * 4  # before a text that stands below its row
_SHORT_WORDS = 20  # a longer text with spaces may wrap


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its title, its columns in the order shown, and those that a narrow terminal leaves out, in that order.

    Of these, the account goes first where all rows are of one account, and last where they are of several.
    The one that `is_list` is what its command lists: --columns chooses of it, and only it is written as CSV.
    """

    title: str
    columns: tuple[str, ...]
    spare: tuple[str, ...] = ()
    is_list: bool = False

    def print(self, rows: Sequence[Mapping[str, Any]], *, empty: str, title: str | None = None) -> None:
        """Print the rows, or the sentence `empty` if there are none; a file or pipe has every column, uncut."""
        chosen = chosen_columns()
        if not self.is_list and (chosen or chosen_form() is Form.CSV):
            return
        columns = self._require_known(rows, chosen) if chosen else self.columns
        if chosen_form() is Form.CSV:
            self.write_csv(rows)
            return
        if not rows:
            click.echo(empty)
            return
        is_wide, width = chosen_form() is Form.WIDE, screen_width()
        layout = _Layout([_Column(name, rows, is_wide=is_wide) for name in columns])
        if width is not None and not is_wide:
            layout.fit([] if chosen else _order_spare(self.spare, rows), width)
        is_colored = may_color()
        click.echo(_render(self.title if title is None else title, layout, is_colored=is_colored), color=is_colored)
        if layout.hidden:
            hidden = ", ".join(one.heading for one in layout.hidden)
            note = f"Not shown: {hidden} ({'-o wide' if has_forms() else 'a wider terminal'} shows all)"
            click.echo("\n".join(textwrap.wrap(note, width or 80)))

    def write_csv(self, rows: Sequence[Mapping[str, Any]], *, has_heading: bool = True) -> None:
        """Write the rows to stdout as CSV, with the columns that --columns chooses."""
        chosen = chosen_columns()
        columns = self._require_known(rows, chosen) if chosen else self.columns
        writer = csv.writer(sys.stdout, lineterminator="\n")
        if has_heading:
            writer.writerow(columns)
        for row in rows:
            writer.writerow([_plain(row.get(column)) for column in columns])

    def draw(self, rows: Sequence[Mapping[str, Any]]) -> str:
        """Return the rows as a file has them: every column, uncut; for what may not write to the terminal itself."""
        layout = _Layout([_Column(name, rows, is_wide=False) for name in self.columns])
        return _render(self.title, layout, is_colored=False)

    def _require_known(self, rows: Sequence[Mapping[str, Any]], chosen: Sequence[str]) -> tuple[str, ...]:
        known = list(dict.fromkeys([*self.columns, *(rows[0] if rows else ())]))
        by_heading = {heading_of(name).replace(" ", "_"): name for name in reversed(known)}
        found = {name: name if name in known else by_heading.get(name) for name in chosen}
        if unknown := [name for name, column in found.items() if column is None]:
            raise click.UsageError(f"invalid --columns {', '.join(unknown)!r}: expected any of {', '.join(known)}")
        return tuple(column for column in found.values() if column is not None)


class _Column:
    """A column's heading, the texts and colours of its cells, and how wide they are."""

    def __init__(self, name: str, rows: Sequence[Mapping[str, Any]], *, is_wide: bool) -> None:
        values = [row.get(name) for row in rows]
        self.name = name
        self.values = values
        self.heading = heading_of(name)
        self.texts = format_column(name, rows, is_wide=is_wide)
        self.styles = [style_of(name, value) for value in values]
        self.is_number = is_number_column(values)
        self.may_fold = max(map(len, self.texts)) > _SHORT_WORDS and any(
            isinstance(value, str) and " " in text for value, text in zip(values, self.texts, strict=True)
        )
        self._whole = self.texts
        self._brief = [
            text.rpartition(":")[0] if isinstance(value, datetime) and text.count(":") > 1 else text
            for value, text in zip(values, self.texts, strict=True)
        ]
        self.show_seconds(is_shown=True)

    def show_seconds(self, *, is_shown: bool) -> None:
        """Show instants with or without their seconds."""
        self.texts = self._whole if is_shown else self._brief
        self.width = max(*map(len, self.texts), *map(len, self.heading.split()))

    @property
    def least_width(self) -> int:
        """The width without which something would be cut: a number, or a word that is not very long."""
        if not self.may_fold:
            return self.width
        longest = max(len(word) for text in (self.heading, *self.texts) for word in text.split())
        return min(self.width, max(_LEAST_FOLDED, min(longest, _LONGEST_WORD)))


@dataclass(slots=True)
class _Layout:
    """Where the columns are: side by side, as a text below each row, or left out; without a terminal side by side."""

    columns: list[_Column]
    below: list[_Column] = field(default_factory=list)
    hidden: list[_Column] = field(default_factory=list)
    width: int | None = None

    @property
    def beside(self) -> list[_Column]:
        return [one for one in self.columns if one not in self.below and one not in self.hidden]

    def fit(self, spare: Sequence[str], width: int) -> None:
        """Make the columns fit: long texts wrap, then stand below their rows; seconds go, and at last columns."""
        self.width = width
        for one in [one for one in self.columns[:0:-1] if one.may_fold]:
            if self._fits():
                break
            self.below.append(one)
        if not self._fits():
            self._show_seconds(is_shown=False)
        for name in spare:
            if self._fits():
                break
            self.hidden += [one for one in self.beside if one.name == name]
        self._use_room()

    def _fits(self) -> bool:
        return self.width is None or _total(one.least_width for one in self.beside) <= self.width

    def _use_room(self) -> None:
        """Give back what there is room for since columns went, and let texts be as wide as they may."""
        self._show_seconds(is_shown=True)
        if not self._fits():
            self._show_seconds(is_shown=False)
        below, self.below = self.below, list(self.below)
        for one in reversed(below):
            self.below.remove(one)
            if not self._fits():
                self.below.append(one)
        room = (self.width or 0) - _total(one.least_width for one in self.beside)
        for one in self.beside:
            if one.may_fold:
                least = one.least_width
                one.width = min(one.width, least + max(0, room))
                room -= one.width - least

    def _show_seconds(self, *, is_shown: bool) -> None:
        for one in self.columns:
            one.show_seconds(is_shown=is_shown)


def _order_spare(spare: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the columns to leave out in their order, by whether the rows are of one account or of several."""
    accounts = [name for name in spare if is_account_column(name)]
    others = [name for name in spare if name not in accounts]
    is_of_one = all(len({row.get(name) for row in rows} - {None}) <= 1 for name in accounts)
    return [*accounts, *others] if is_of_one else [*others, *accounts]


def _total(widths: Iterable[int]) -> int:
    found = list(widths)
    return sum(found) + _GAP * (len(found) - 1)


def _render(title: str, layout: _Layout, *, is_colored: bool) -> str:
    columns = layout.beside
    headings = [_wrap(one.heading, one.width) for one in columns]
    height = max(map(len, headings))
    lines = [title, *_lines([[""] * (height - len(one)) + one for one in headings], columns)]
    lines.append("─" * _total(one.width for one in columns))
    for index in range(len(columns[0].texts)):
        cells = [_wrap(one.texts[index], one.width) or [""] for one in columns]
        lines += _lines(cells, columns, [one.styles[index] if is_colored else "" for one in columns])
        for one in layout.columns:
            if one in layout.below and one.values[index]:
                text = f"{one.heading}: {one.texts[index]}"
                lines += [_BELOW + line for line in _wrap(text, (layout.width or 0) - len(_BELOW))]
    return "\n".join([*lines, ""])


def _wrap(text: str, width: int) -> list[str]:
    """Return the lines of a text; a word is broken only if it is wider than its column."""
    return textwrap.wrap(text, max(width, 1), break_on_hyphens=False)


def _lines(cells: Sequence[Sequence[str]], columns: Sequence[_Column], styles: Sequence[str] = ()) -> Iterator[str]:
    """Yield the lines of a row whose cells may have several."""
    for number in range(max(map(len, cells))):
        parts = []
        for position, (cell, column) in enumerate(zip(cells, columns, strict=True)):
            text = cell[number] if number < len(cell) else ""
            shown = text.rjust(column.width) if column.is_number else text.ljust(column.width)
            is_last = position == len(columns) - 1
            shown = shown.rstrip() if is_last else shown
            style = styles[position] if styles and text else ""
            parts.append(shown if not style else shown.replace(text, _paint(text, style), 1))
        yield (" " * _GAP).join(parts).rstrip()


def _paint(text: str, style: str) -> str:
    return click.style(text, dim=True) if style == "dim" else click.style(text, fg=style)


def _plain(value: object) -> object:
    """Return a value for CSV: instants in ISO 8601, decimals as exact text, nothing for None, no text as a formula."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return escape_formula(value)
    return f"{value:f}" if hasattr(value, "as_tuple") else value
