"""The bars of a backtest: those stored in Postgres, or those of a file, with what is wrong with them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np

from cli.client.bar_exports import ExportRequest, describe_export_gaps, read_export
from cli.client.bar_imports import ImportOptions, make_contract, read_checked
from cli.client.bar_reads import read_market_now, require_past, resolve_bar_contract
from cli.client.stack import connect
from shared.clock import machine_now
from shared.db.market_data import bars
from shared.domain.counting import count_of
from shared.domain.market_data.bar import MINUTE, minute_of
from shared.domain.market_data.bar_columns import BarColumns, seconds_of, time_of
from shared.domain.market_data.calendar import assumed_calendar_of, trading_day_begins
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.coverage import Span, intersect, unite
from shared.domain.market_data.foreign_bars import FAULTS, BarFault, BarTimes
from shared.domain.market_data.symbol import Symbol
from shared.domain.market_data.timeframe import ONE_MINUTE
from shared.errors import RefusedError

_DAY = timedelta(days=1)
_WARM_UP = timedelta(days=400)  # of bars before the first day, for the strategy to look back
_LONG_GAP = timedelta(minutes=30)
_YEARS_AHEAD = 1


@dataclass(frozen=True, slots=True)
class BacktestBars:
    """One-minute bars of a contract, the span to trade, and warnings for a person."""

    contract: Contract
    minutes: BarColumns
    span: Span
    warnings: list[str]


def read_stored(
    symbol: Symbol, since: date | None, until: date | None, progress: Callable[[str], None]
) -> BacktestBars:
    """Return the stored bars of a contract for some trading days; raise RefusedError if there is none."""
    with connect() as connection:
        contract = resolve_bar_contract(connection, symbol)
        now, first = read_market_now(connection), bars.find_first(connection, contract.id)
        require_past("--since", None if since is None else trading_day_begins(since), now)
        if first is None:
            raise RefusedError(
                f"no bars of {symbol.text} are stored: `tickwork bars backfill {symbol.text}` fetches them"
            )
        wanted = _span_of(since, until, Span(first, now))
        before = Span(max(first, wanted.start - _WARM_UP), wanted.end)
        minutes = read_export(connection, ExportRequest(contract, ONE_MINUTE, before, now), progress)
        gaps = describe_export_gaps(connection, ExportRequest(contract, ONE_MINUTE, wanted, now), symbol)
    return _require_bars(BacktestBars(contract, minutes, wanted, [gaps] if gaps else []))


def read_file(file: Path, symbol: Symbol, since: date | None, until: date | None) -> BacktestBars:
    """Return the bars of a file, checked as for an import; raise RefusedError for a root alone, or without bars."""
    contract = _contract_of(symbol, machine_now())
    options = ImportOptions(contract, BarTimes(zone=None), {}, replaces=False, is_dry_run=True)
    checked, line_count = read_checked(file, options, minute_of(machine_now()))
    minutes = checked.accepted.bars
    warnings = [
        f"Left out {count:,} of {count_of(line_count, 'line')} of {file.name}: {FAULTS[fault]}."
        for fault in BarFault
        if (count := int((checked.refused.faults == fault).sum()))
    ]
    if not len(minutes):
        raise RefusedError(f"{file} has no bar that can be used: {' '.join(warnings) or 'it is empty'}")
    known = Span(time_of(int(minutes.seconds[0])), time_of(int(minutes.seconds[-1])) + MINUTE)
    wanted = _span_of(since, until, known)
    if gap := _describe_long_gaps(minutes, contract, wanted):
        warnings.append(gap)
    return _require_bars(BacktestBars(contract, minutes, wanted, warnings))


def _contract_of(symbol: Symbol, now: datetime) -> Contract:
    """Return the contract of a month; a year of one digit is the newest such year that is at most one year ahead."""
    if symbol.month is None or symbol.year is None:
        example = f"{symbol.root.name}{symbol.root.months[0]}26"
        raise RefusedError(f"invalid contract {symbol.text!r}: expected the month of the file, such as {example}")
    newest, step = now.year + _YEARS_AHEAD, 10 ** len(symbol.year)
    return make_contract(symbol.root, symbol.month, newest - (newest - int(symbol.year)) % step)


def _span_of(since: date | None, until: date | None, known: Span) -> Span:
    """Return the part of the known span from one trading day to another, both included."""
    start = known.start if since is None else max(known.start, trading_day_begins(since))
    end = known.end if until is None else min(known.end, trading_day_begins(until + _DAY))
    if start >= end:
        asked = f"from {since or 'the first day'} to {until or 'the newest'}"
        raise RefusedError(
            f"no bars of the trading days {asked}: those known begin at {known.start:%Y-%m-%d %H:%M} and end at "
            f"{known.end:%Y-%m-%d %H:%M} UTC"
        )
    return Span(start, end)


def _require_bars(found: BacktestBars) -> BacktestBars:
    if not len(found.minutes.within(found.span)):
        raise RefusedError(
            f"no bars of {found.contract.id} from {found.span.start:%Y-%m-%d %H:%M} to "
            f"{found.span.end:%Y-%m-%d %H:%M} UTC"
        )
    return found


def _describe_long_gaps(minutes: BarColumns, contract: Contract, span: Span) -> str | None:
    """Return a sentence on half hours and more of open sessions without a bar; a file does not say why."""
    ends = np.append(seconds_of(span.start), minutes.within(span).seconds + 60)
    starts = np.append(minutes.within(span).seconds, seconds_of(span.end))
    is_long = starts - ends >= _LONG_GAP.total_seconds()
    pairs = zip(ends[is_long].tolist(), starts[is_long].tolist(), strict=True)
    without = [Span(time_of(end), time_of(start)) for end, start in pairs]
    opened = assumed_calendar_of(ROOTS[contract.root].group).open_spans(span)
    gaps = [gap for gap in intersect(without, unite(opened)) if gap.duration >= _LONG_GAP]
    if not gaps:
        return None
    longest = max(gaps, key=lambda gap: gap.duration)
    return (
        f"{count_of(len(gaps), 'gap')} of {_LONG_GAP // MINUTE} minutes or more in open sessions, the longest from "
        f"{longest.start:%Y-%m-%d %H:%M} to {longest.end:%Y-%m-%d %H:%M} UTC: nothing was traded in them."
    )
