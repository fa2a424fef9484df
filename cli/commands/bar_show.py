"""`tickwork bars show` and `chart`: the stored bars of any timeframe as a table, and as candles in the terminal."""

import shutil
import sys
from dataclasses import dataclass, replace
from datetime import datetime

import click

from cli.client.bar_gaps import list_spans_with_bars
from cli.client.bar_reads import (
    describe_gaps,
    describe_history,
    list_bar_rows,
    open_bar_reader,
    read_market_now,
    require_past,
    resolve_bar_contract,
)
from cli.client.stack import connect
from cli.console.candles import ChartStyle, can_show_unicode, count_candles, draw_candles
from cli.console.list_options import echo_note, list_options, may_color
from cli.console.output import print_json
from cli.console.params import InstantType, SymbolType, TimeframeType, json_option
from cli.console.table import Table
from shared.bars.bar_reader import BarsRead
from shared.db.market_data import bars
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.market_data.coverage import Span, intersect
from shared.domain.market_data.price_text import format_price
from shared.domain.market_data.symbol import Symbol
from shared.domain.market_data.timeframe import Timeframe

SHOWN = Table("Bars", ("start", "open", "high", "low", "close", "volume"), is_list=True)
_PRICES = ("open", "high", "low", "close")
_DEFAULT_COUNT = 20
_MOST_BARS = 20_000
_LINES_BESIDE_CHART = 4  # the title, the notes and the prompt
timeframe_option = click.option(
    "--timeframe", type=TimeframeType(), default="1m", show_default=True, help="1m to 1440m, 1h to 24h, 1d, 1w or 1mo."
)


@click.command("show")
@click.argument("symbol", type=SymbolType())
@timeframe_option
@click.option("--count", type=click.IntRange(1, _MOST_BARS), help=f"The newest ones; default: {_DEFAULT_COUNT}.")
@click.option("--since", type=InstantType(), metavar="TIME", help="Those from this time on, such as 2026-03-09.")
@json_option
@list_options
def show(symbol: Symbol, timeframe: Timeframe, count: int | None, since: datetime | None, *, as_json: bool) -> None:
    """Show closed bars of a timeframe, newest first, and how far they are complete.

    SYMBOL is one month, such as MNQZ26, or a root, which means its active contract. Bars longer than a minute follow
    the session.
    """
    if count is not None and since is not None:
        raise click.UsageError("--count and --since exclude each other: give one of them")
    if since is None:
        count = count or _DEFAULT_COUNT
    read = _read(symbol, timeframe, count, since)
    contract, found = read.contract, read.found
    rows = list_bar_rows(found.bars, contract.tick_size)
    if as_json:
        gaps = [{"start": gap.start, "end": gap.end, "minutes": gap.duration // MINUTE} for gap in found.gaps[::-1]]
        facts = {"contract": contract.id, "timeframe": str(timeframe), "as_of": found.as_of, "source": found.source}
        asked = {"asked_count": count, "asked_since": since, "stored_from": read.stored_from}
        print_json({**facts, **asked, "gaps": gaps, "bars": rows})
        return
    title = f"{shorten_contract(contract.id)} {timeframe} (market time, UTC)"
    SHOWN.print([row | {"contract": contract.id} for row in rows], empty=_describe_none(symbol, timeframe), title=title)
    _echo_notes(read, symbol)


@click.command("chart")
@click.argument("symbol", type=SymbolType())
@timeframe_option
@click.option("--count", type=click.IntRange(1, 1_000), help="The newest ones; default: half as many as fit.")
def chart(symbol: Symbol, timeframe: Timeframe, count: int | None) -> None:
    """Draw candles in the terminal, as wide and high as it is.

    A rising candle has a thin body, a falling one a broad one. Times are market time, in UTC.
    """
    size = shutil.get_terminal_size()
    style = ChartStyle(
        size.columns, size.lines - _LINES_BESIDE_CHART, not can_show_unicode(sys.stdout.encoding), may_color()
    )
    read = replace(_read(symbol, timeframe, count or size.columns // 2, None), asked=count or 1)
    contract, found = read.contract, read.found
    if not len(found.bars):
        click.echo(_describe_none(symbol, timeframe))
        _echo_notes(read, symbol)
        return
    room = count_candles(style, contract.tick_size, int(found.bars.high.max()))
    drawn = found.bars[-(room if count else room // 2) :].to_bars()
    last, tick = drawn[-1], contract.tick_size
    prices = "  ".join(f"{name} {format_price(getattr(last, name) * tick, tick)}" for name in _PRICES)
    click.echo(f"{shorten_contract(contract.id)} {timeframe}  {last.start:%Y-%m-%d %H:%M} UTC  {prices}")
    click.echo("\n".join(draw_candles(drawn, tick, style)), color=style.is_colored)
    _echo_notes(read, symbol)


@dataclass(frozen=True, slots=True)
class _Read:
    """Bars of a contract, what was asked for, and the first minute that is stored."""

    contract: Contract
    found: BarsRead
    asked: int | datetime
    stored_from: datetime | None


def _read(symbol: Symbol, timeframe: Timeframe, count: int | None, since: datetime | None) -> _Read:
    with connect() as connection, open_bar_reader(connection) as reader:
        contract = resolve_bar_contract(connection, symbol)
        now = read_market_now(connection)
        require_past("--since", since, now)
        found = reader.read(connection, contract, timeframe, now, count=count, since=since)
        if found.gaps and not contract.is_active:  # it may have expired: no bar is to come
            asked = Span(found.gaps[0].start, now)
            lived = [span for _, span in list_spans_with_bars(connection, [contract.id], asked)]
            gaps = intersect(found.gaps, lived)
            found = replace(found, gaps=gaps, set_aside=intersect(gaps, found.set_aside))
        return _Read(contract, found, count or since or now, bars.find_first(connection, contract.id))


def _echo_notes(read: _Read, symbol: Symbol) -> None:
    found, shown = read.found, len(read.found.bars)
    history = describe_history(read.stored_from, symbol, shown=shown, asked=read.asked)
    if shown or history is None:
        echo_note(f"Complete up to {found.as_of:%Y-%m-%d %H:%M} UTC; read from {found.source.capitalize()}.")
    gaps = describe_gaps(found.gaps, [symbol.text], set_aside=found.set_aside)
    for note in filter(None, (history, gaps)):
        echo_note(note)


def _describe_none(symbol: Symbol, timeframe: Timeframe) -> str:
    return f"No closed bars of {symbol.text} with timeframe {timeframe}."
