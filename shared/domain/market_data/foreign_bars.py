"""Bars from other vendors' files: read, and checked before any of them is stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from zoneinfo import ZoneInfo

import numpy as np

from shared.domain.market_data.bar_checks import MINUTE_S, Flags, is_ordered, is_storable, is_within, span_of
from shared.domain.market_data.bar_columns import BarColumns, Integers, columns_of, seconds_of, time_of
from shared.domain.market_data.bar_layout import BarLayout
from shared.domain.market_data.calendar import Calendar, trading_day_begins
from shared.domain.market_data.csv_columns import CsvBlock, join_columns
from shared.domain.market_data.csv_values import BILLIONTHS, EXPECTED_TIMES, read_decimals, read_times
from shared.domain.market_data.holidays import FIRST_DAY, LAST_DAY
from shared.errors import RefusedError

_LEAST_FOR_ANY_STEP = 12  # so many minutes with a trade are all even or all odd once in 2,048 files
_LEAST_FOR_STEP_OF_FEW = 4  # so many are all apart by a multiple of five minutes once in 125
_STEP_OF_FEW = 5  # minutes, of which all usual lengths of bars are a multiple
_USUAL_STEPS = (5, 10, 15, 30, 60, 240, 1440)  # minutes; two bars say nothing else of their length


class BarFault(IntEnum):
    """Why a line is refused; of several the first one."""

    RAGGED = 1
    NO_TIME = 2
    UNSURE_TIME = 3
    NOT_A_MINUTE = 4
    NO_NUMBER = 5
    OFF_TICK = 6
    NOT_ORDERED = 7
    NOT_STORABLE = 8
    BEYOND_CALENDAR = 9
    NOT_CLOSED = 10
    OUTSIDE_SESSION = 11
    CONTRADICTION = 12
    DIFFERS = 13


FAULTS = {
    BarFault.RAGGED: "it has not as many columns as the first line",
    BarFault.NO_TIME: f"its time is none of {EXPECTED_TIMES}",
    BarFault.UNSURE_TIME: "its time is told twice or never in its zone, as the clocks change in that hour",
    BarFault.NOT_A_MINUTE: "its time is not the start of a minute",
    BarFault.NO_NUMBER: "a price or the volume is no number, or the volume not whole",
    BarFault.OFF_TICK: "a price is between two ticks",
    BarFault.NOT_ORDERED: "low and high do not enclose open and close",
    BarFault.NOT_STORABLE: "a price is not above 0, the volume below 0, or one too large",
    BarFault.BEYOND_CALENDAR: f"its day is not in the holiday table, {FIRST_DAY.year} to {LAST_DAY.year}",
    BarFault.NOT_CLOSED: "it has not closed yet",
    BarFault.OUTSIDE_SESSION: "the market was closed: a pause, a weekend or a holiday",
    BarFault.CONTRADICTION: "another line of the same minute has other values",
    BarFault.DIFFERS: "the stored bar of that minute has other values; --replace replaces it",
}


@dataclass(frozen=True, slots=True)
class BarTimes:
    """How a file tells time: the zone of times without an offset, None if it must say it.

    With `are_ends` it names a bar by its end, as some vendors do.
    """

    zone: ZoneInfo | None
    are_ends: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ReadBars:
    """Lines of a file as they came: their numbers, their bars, and a fault or 0 each; `line_count` has empty ones too.

    What could not be read is 0.
    """

    lines: Integers
    bars: BarColumns
    faults: Integers
    line_count: int = 0

    def __getitem__(self, chosen: "Flags | Integers") -> "ReadBars":
        """Return the lines that a mask or indices choose."""
        return ReadBars(self.lines[chosen], self.bars[chosen], self.faults[chosen])

    def add_fault(self, fault: BarFault, has_it: Flags) -> "ReadBars":
        """Return the lines with a fault where they had none."""
        return ReadBars(self.lines, self.bars, np.where((self.faults == 0) & has_it, fault, self.faults))


@dataclass(frozen=True, slots=True, eq=False)
class CheckedBars:
    """The bars of a file that may be stored, the lines that are refused, and how many lines only repeat another."""

    accepted: ReadBars
    refused: ReadBars
    repeated_count: int


def read_block(block: CsvBlock, layout: BarLayout, times: BarTimes, tick_size: Decimal) -> ReadBars:
    """Return the bars of the lines of a block, with the faults that a line shows by itself.

    Raise RefusedError if a time has no offset and no zone is given.
    """
    texts = block.read_column(layout.places["time"])
    if layout.clock is not None:
        texts = join_columns(texts, block.read_column(layout.clock))
    told = read_times(texts, times.zone)
    if times.zone is None and not told.has_offset.all():
        example = bytes(texts[:, int(np.argmin(told.has_offset))]).rstrip(b"\0").decode("latin-1")
        raise RefusedError(
            f"times such as {example!r} do not say their offset from UTC: name their zone, as --zone America/Chicago"
        )
    tick = int(tick_size * BILLIONTHS)
    prices = [read_decimals(block.read_column(layout.places[name])) for name in ("open", "high", "low", "close")]
    volume, is_volume = read_decimals(block.read_column(layout.places["volume"]))
    are_numbers = np.logical_and.reduce([is_volume & (volume % BILLIONTHS == 0), *(flags for _, flags in prices)])
    seconds = told.seconds - MINUTE_S * times.are_ends
    bars = columns_of(np.vstack([seconds, *(value // tick for value, _ in prices), volume // BILLIONTHS]))
    found = ReadBars(block.lines, bars, np.zeros(len(bars), dtype=np.int64))
    for fault, has_it in (
        (BarFault.NO_TIME, ~told.is_time),
        (BarFault.UNSURE_TIME, ~told.is_certain),
        (BarFault.NOT_A_MINUTE, ~told.is_whole | (seconds % MINUTE_S != 0)),
        (BarFault.NO_NUMBER, ~are_numbers),
        (BarFault.OFF_TICK, np.logical_or.reduce([value % tick != 0 for value, _ in prices])),
    ):
        found = found.add_fault(fault, has_it)
    ragged = len(block.ragged)
    nothing = columns_of(np.zeros((6, ragged), dtype=np.int64))
    return join_reads(
        [found, ReadBars(block.ragged, nothing, np.full(ragged, BarFault.RAGGED, dtype=np.int64), block.line_count)]
    )


def read_contract_names(block: CsvBlock, layout: BarLayout) -> set[str]:
    """Return the name of the contract in a block, and one that differs from it if there is one."""
    if layout.contract is None or not len(block.lines):
        return set()
    texts = block.read_column(layout.contract)
    differs = (texts != texts[:, :1]).any(axis=0)
    return {bytes(texts[:, place]).rstrip(b"\0").decode("latin-1") for place in (0, int(np.argmax(differs)))}


def join_reads(several: Sequence[ReadBars]) -> ReadBars:
    """Return the lines of all."""
    none = np.empty(0, dtype=np.int64)
    return ReadBars(
        np.concatenate([none, *(one.lines for one in several)]),
        columns_of(
            np.concatenate([np.empty((6, 0), dtype=np.int64), *(np.vstack(one.bars.arrays) for one in several)], axis=1)
        ),
        np.concatenate([none, *(one.faults for one in several)]),
        sum(one.line_count for one in several),
    )


def check_bars(read: ReadBars, calendar: Calendar, closed_until: datetime) -> CheckedBars:
    """Return which of a file's bars may be stored: true ones, of open sessions, that have closed by `closed_until`.

    Of lines that say the same one is taken; all lines of a minute that contradict each other are refused. Raise
    RefusedError if the bars are longer or shorter than a minute.
    """
    first, end = (seconds_of(trading_day_begins(day)) for day in (FIRST_DAY, LAST_DAY))
    seconds = read.bars.seconds
    for fault, is_right in (
        (BarFault.NOT_ORDERED, is_ordered(read.bars)),
        (BarFault.NOT_STORABLE, is_storable(read.bars, calendar.group)),
        (BarFault.BEYOND_CALENDAR, (seconds >= first) & (seconds < end)),
        (BarFault.NOT_CLOSED, seconds + MINUTE_S <= seconds_of(closed_until)),
    ):
        read = read.add_fault(fault, ~is_right)
    _require_none_shorter(read)
    _require_none_longer(np.unique(seconds[read.faults == 0]))
    if (read.faults == 0).any():
        opened = calendar.open_spans(span_of(seconds[read.faults == 0]))
        read = read.add_fault(BarFault.OUTSIDE_SESSION, ~is_within(seconds, opened))
    fit = read[read.faults == 0]
    fit = fit[np.argsort(fit.bars.seconds, kind="stable")]
    is_repeated, is_contradiction = _compare_neighbours(fit.bars)
    fit = fit.add_fault(BarFault.CONTRADICTION, is_contradiction)
    refused = join_reads([read[read.faults != 0], fit[fit.faults != 0]])
    is_taken = (fit.faults == 0) & ~is_repeated
    return CheckedBars(fit[is_taken], refused, int((is_repeated & (fit.faults == 0)).sum()))


def _compare_neighbours(bars: BarColumns) -> tuple[Flags, Flags]:
    """Return which bars, sorted by their starts, begin as the one before does, and which minutes are contradictory."""
    values = np.vstack(bars.arrays)
    is_same_minute = np.diff(bars.seconds, prepend=-1) == 0
    differs = is_same_minute & (np.diff(values, axis=1, prepend=values[:, :1]) != 0).any(axis=0)
    contradictory = np.unique(bars.seconds[differs])
    return is_same_minute, np.isin(bars.seconds, contradictory)


def _require_none_shorter(read: ReadBars) -> None:
    """Raise RefusedError if another line starts within an accepted minute: the accepted one is a part of it."""
    others = read.bars.seconds[read.faults == BarFault.NOT_A_MINUTE]
    shared = np.intersect1d(read.bars.seconds[read.faults == 0], others - others % MINUTE_S)
    if len(shared):
        raise RefusedError(
            f"its bars are shorter than a minute, as several start in that of {time_of(int(shared[0])):%Y-%m-%d %H:%M} "
            "UTC: expected bars of one minute"
        )


def _require_none_longer(seconds: Integers) -> None:
    """Raise RefusedError if the starts, sorted, are all apart by a multiple of more than a minute.

    Below 12 bars it must be a multiple of five minutes, and of two or three bars a usual length, as those of a quiet
    contract may lie anyhow.
    """
    step = int(np.gcd.reduce(np.diff(seconds))) // MINUTE_S
    if len(seconds) >= _LEAST_FOR_ANY_STEP:
        is_longer = step > 1
    elif len(seconds) >= _LEAST_FOR_STEP_OF_FEW:
        is_longer = step % _STEP_OF_FEW == 0
    else:
        is_longer = step in _USUAL_STEPS
    if is_longer:
        raise RefusedError(f"its bars start every {step} minutes or a multiple of it: expected bars of one minute")
