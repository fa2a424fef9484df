"""The export of bars to a new file, with its prices as exact text or as the nearest binary numbers."""

import gzip
import io
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
from sqlalchemy import Connection

from cli.client import parquet
from cli.client.bar_files import ending_of
from cli.client.bar_gaps import SET_ASIDE, list_gaps, list_spans_with_bars
from cli.client.bar_reads import describe_gaps
from cli.console.new_file import open_new_file
from shared.db.market_data import bars
from shared.domain.counting import count_of
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.bar_columns import BarColumns, Integers, join, seconds_of
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.coverage import Span, unite
from shared.domain.market_data.rollup import list_periods, list_spans, newest_close, roll_up
from shared.domain.market_data.symbol import Symbol
from shared.domain.market_data.timeframe import Timeframe

_STEP = timedelta(days=182)
_ROWS_AT_ONCE = 100_000
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """The bars of a contract and timeframe that start in `span` and have closed by `closed_until`."""

    contract: Contract
    timeframe: Timeframe
    span: Span
    closed_until: datetime


def read_export(connection: Connection, wanted: ExportRequest, progress: Progress) -> BarColumns:
    """Return the bars that are wanted, oldest first."""
    calendar = assumed_calendar_of(ROOTS[wanted.contract.root].group)
    first, last = wanted.span.start, wanted.span.end
    periods = list_periods(Span(last - MINUTE, last), wanted.timeframe, calendar)
    end = min(wanted.closed_until, max([last, *(period.end for period in periods)]))
    minutes, start = [], first
    while start < end:
        until = min(start + _STEP, end)
        minutes.append(bars.read(connection, wanted.contract.id, Span(start, until)))
        if until < end:
            progress(f"read {(until - first) / (end - first):.0%}, to {until:%Y-%m-%d}")
        start = until
    rolled = roll_up(join(minutes), wanted.timeframe, wanted.closed_until, calendar)
    return rolled[(rolled.seconds >= seconds_of(first)) & (rolled.seconds < seconds_of(last))]


def describe_export_gaps(connection: Connection, wanted: ExportRequest, symbol: Symbol) -> str | None:
    """Return a sentence that names the minutes without which the bars were made, None without any.

    Those of a bar that began before the span are not named: it is not exported.
    """
    calendar = assumed_calendar_of(ROOTS[wanted.contract.root].group)
    first, last = wanted.span.start, wanted.span.end
    begun = list_spans(Span(first, first + MINUTE), wanted.timeframe, calendar)
    start = max([first, *(one.end for one in begun if one.start < first)])
    ends = [one.end for one in list_spans(Span(last - MINUTE, last), wanted.timeframe, calendar)]
    end = min(newest_close(wanted.closed_until, wanted.timeframe, calendar), max([last, *ends]))
    lived = list_spans_with_bars(connection, [wanted.contract.id], Span(start, end))
    rows = [
        row for contract, span in lived if span.start < span.end for row in list_gaps(connection, contract.id, span)
    ]
    gaps = [(Span(row["start"], row["end"]), row["state"]) for row in rows]
    set_aside = [gap for gap, state in gaps if state == SET_ASIDE]
    return describe_gaps(unite(gap for gap, _ in gaps), [symbol.text], set_aside=set_aside)


def write_export(file: Path, found: BarColumns, wanted: ExportRequest, progress: Progress) -> None:
    """Write bars to a new file, whole or not at all; raise RefusedError if it is there already."""
    ending, tick = ending_of(file), wanted.contract.tick_size
    with open_new_file(file) as target:
        if ending == ".parquet":
            facts = {"contract": wanted.contract.id, "timeframe": str(wanted.timeframe), "tick_size": str(tick)}
            parquet.write_bars(target, found, [_to_binary(column, tick) for column in found.arrays[1:5]], facts)
            return
        with gzip.open(target, "wb") if ending == ".csv.gz" else nullcontext(target) as lines:
            for number, block in enumerate(_list_lines(found, tick)):
                lines.write(block)
                if (written := (number + 1) * _ROWS_AT_ONCE) < len(found):
                    progress(f"wrote {written:,} of {count_of(len(found), 'bar')}")


def _list_lines(found: BarColumns, tick_size: Decimal) -> Iterator[bytes]:
    heading = b"start,open,high,low,close,volume\n"
    for first in range(0, max(len(found), 1), _ROWS_AT_ONCE):
        part = found[first : first + _ROWS_AT_ONCE]
        starts = np.char.add(np.datetime_as_string(part.starts), "Z").tolist() if len(part) else []
        prices = [_to_texts(column, tick_size) for column in part.arrays[1:5]]
        text = io.StringIO()
        for row in zip(starts, *prices, part.volume.tolist(), strict=True):
            text.write("{},{},{},{},{},{}\n".format(*row))
        yield heading + text.getvalue().encode()
        heading = b""


def _to_texts(ticks: Integers, tick_size: Decimal) -> list[str]:
    """Return prices as exact text, each different one made once."""
    different, index = np.unique(ticks, return_inverse=True)
    texts = np.array([f"{one * tick_size:f}" for one in different.tolist()], dtype=object)
    return list(texts[index]) if len(ticks) else []


def _to_binary(ticks: Integers, tick_size: Decimal) -> "np.ndarray":
    """Return prices as the binary numbers that are nearest to them."""
    top, bottom = tick_size.as_integer_ratio()
    return ticks * top / bottom
