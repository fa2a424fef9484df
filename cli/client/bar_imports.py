"""The import of files of bars: each is read, checked and stored in a transaction of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection

from cli.client.bar_files import list_records, open_bar_file
from cli.client.bar_reads import read_market_now
from shared.bars.bar_import import ImportedBars, compare_import, find_replaced_until, store_import
from shared.db.market_data import contracts
from shared.domain.market_data.bar_columns import time_of
from shared.domain.market_data.bar_layout import find_layout, has_heading
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS, Contract, Root, contract_id
from shared.domain.market_data.csv_columns import split_csv
from shared.domain.market_data.foreign_bars import (
    FAULTS,
    BarFault,
    BarTimes,
    CheckedBars,
    ReadBars,
    check_bars,
    join_reads,
    read_block,
    read_contract_names,
)
from shared.domain.market_data.symbol import Symbol, parse_symbol
from shared.errors import RefusedError
from shared.hot.recent_bars import RecentBars

_MOST_EXAMPLES = 3
_TOO_EARLY = (
    "the stored bar of that minute has other values, and would have them again: the venue is asked for the newest two "
    "sessions of a tracked contract every hour"
)


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How files are read, and what is done with their bars."""

    contract: Contract
    times: BarTimes
    columns: Mapping[str, str]
    replaces: bool
    is_dry_run: bool


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of a file: its lines, how many bars were new and so on, and each reason for which some were refused.

    `error` says why nothing of it was taken; `first` and `newest` are the starts of the bars that were.
    """

    file: str
    line_count: int = 0
    new: int = 0
    replaced: int = 0
    unchanged: int = 0
    repeated: int = 0
    first: datetime | None = None
    newest: datetime | None = None
    refused: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None

    @property
    def refused_count(self) -> int:
        """The number of lines that were refused."""
        return sum(one["count"] for one in self.refused)


def find_or_make_contract(connection: Connection, symbol: Symbol) -> Contract:
    """Return the contract that a symbol means; one that is not known, as the venue does not offer it, is made.

    Raise RefusedError for a root alone, and for a year of one digit that no known contract has.
    """
    if symbol.month is None:
        raise RefusedError(f"invalid contract {symbol.text!r}: expected one month of {symbol.root.name}, such as "
                           f"{symbol.root.name}{symbol.root.months[0]}26")  # fmt: skip
    known = [one for one in contracts.list_of_root(connection, symbol.root.name) if symbol.names(one.id)]
    if len(known) == 1:
        return known[0]
    year = symbol.year or ""
    if known or len(year) == 1:
        raise RefusedError(f"invalid contract {symbol.text!r}: expected its year with two digits, such as "
                           f"{symbol.root.name}{symbol.month}26")  # fmt: skip
    return make_contract(symbol.root, symbol.month, int(year[-2:]))


def make_contract(root: Root, month: str, year: int) -> Contract:
    """Return the contract of a month that the venue may no longer offer; `year` may have its last two digits alone."""
    name = f"{root.name}{month}{year % 10}"
    return Contract(contract_id(root, month, year), name, root.name, root.tick_size, root.tick_value, is_active=False)


def import_file(connection: Connection, recent: RecentBars, file: Path, options: ImportOptions) -> FileReport:
    """Read a file, and store its bars unless this is a dry run; what is wrong with the whole file becomes its error."""
    try:
        market_now = read_market_now(connection)
        connection.rollback()
        checked, line_count = read_checked(file, options, market_now)
        found = _store(connection, recent, checked, options, market_now)
    except RefusedError as error:
        return FileReport(str(file), error=str(error))
    refused = join_reads([checked.refused, found.refused])
    is_taken = ~np.isin(checked.accepted.lines, found.refused.lines)
    taken = checked.accepted.bars.seconds[is_taken]
    return FileReport(
        str(file),
        line_count=line_count,
        new=found.new,
        replaced=found.replaced,
        unchanged=found.unchanged,
        repeated=checked.repeated_count,
        first=time_of(int(taken[0])) if len(taken) else None,
        newest=time_of(int(taken[-1])) if len(taken) else None,
        refused=_describe_refused(file, refused, replaces=options.replaces),
    )


def read_checked(file: Path, options: ImportOptions, market_now: datetime) -> tuple[CheckedBars, int]:
    """Return the checked bars of a file, and how many lines of bars it has.

    Raise RefusedError for a file that is none of bars, or whose bars are of another contract.
    """
    source = open_bar_file(file, has_heading=has_heading(options.columns))
    layout = find_layout(source.names, options.columns)
    blocks, names = list[ReadBars](), set[str]()
    line = source.first_line
    for data in source.read():
        block = split_csv(data, source.delimiter, len(source.names), line)
        blocks.append(read_block(block, layout, options.times, options.contract.tick_size))
        line += block.line_count
        names |= read_contract_names(block, layout)
        if len(names) > 1:
            raise RefusedError(f"it has bars of several contracts, such as {' and '.join(sorted(names)[:2])}: give one "
                               "contract a file")  # fmt: skip
    _require_contract(names, options.contract)
    read = join_reads(blocks)
    calendar = assumed_calendar_of(ROOTS[options.contract.root].group)
    return check_bars(read, calendar, market_now), len(read.lines)


def _require_contract(names: set[str], contract: Contract) -> None:
    """Raise RefusedError if the file names another contract; a name that is no symbol of ours may mean any."""
    for name in names:
        try:
            is_other = not parse_symbol(name).names(contract.id)
        except ValueError:
            continue
        if is_other:
            raise RefusedError(f"it has bars of {name}: expected those of {contract.id}, as --contract says")


def _store(
    connection: Connection, recent: RecentBars, checked: CheckedBars, options: ImportOptions, market_now: datetime
) -> ImportedBars:
    contract, given = options.contract, checked.accepted
    with recent.change(contract.id) as change, connection.begin():
        calendar = assumed_calendar_of(ROOTS[contract.root].group)
        until = find_replaced_until(connection, contract, calendar, market_now) if options.replaces else None
        if options.is_dry_run:
            return compare_import(connection, contract.id, given, replaced_until=until)
        contracts.add(connection, contract)
        return store_import(connection, contract, given, market_now, change=change, replaced_until=until)


def _describe_refused(file: Path, refused: ReadBars, *, replaces: bool) -> list[dict[str, Any]]:
    """Return each fault with its count and the first lines that have it; that `replaces` a bar may be too early."""
    chosen = {
        fault: (int((refused.faults == fault).sum()), sorted(refused.lines[refused.faults == fault].tolist()))
        for fault in BarFault
        if (refused.faults == fault).any()
    }
    wanted = {line for _, lines in chosen.values() for line in lines[:_MOST_EXAMPLES]}
    records = list_records(file, wanted)
    return [
        {
            "reason": fault.name.lower(),
            "message": _TOO_EARLY if replaces and fault is BarFault.DIFFERS else FAULTS[fault],
            "count": count,
            "examples": [{"line_number": line, "record": records.get(line)} for line in lines[:_MOST_EXAMPLES]],
        }
        for fault, (count, lines) in sorted(chosen.items(), key=lambda one: -one[1][0])
    ]
