"""`tickwork bars continuous`: one series from the contracts of a root that follow one another."""

from decimal import Decimal

import click

from cli.client.bar_reads import describe_history, list_bar_rows, read_market_now
from cli.client.lookup import list_contract_ids
from cli.client.series_gaps import read_series_coverage
from cli.client.stack import connect
from cli.console.list_options import echo_note, list_options
from cli.console.output import print_json
from cli.console.params import SymbolType, TimeframeType, json_option
from cli.console.table import Table
from shared.db.market_data import bars, contracts
from shared.domain.market_data.bar_columns import time_of
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.continuous import Adjustment, stitch
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.rollup import newest_close, roll_up
from shared.domain.market_data.symbol import Symbol
from shared.domain.market_data.timeframe import Timeframe
from shared.errors import RefusedError

ADJUSTMENTS = ("none", "difference", "ratio")
SERIES = Table("Newest bars (market time, UTC)", ("start", "open", "high", "low", "close", "volume"), is_list=True)
STITCHES = Table("Stitched", ("at", "before", "after", "close_before", "close_after"))


@click.command("continuous")
@click.argument("symbol", metavar="ROOT", type=SymbolType())
@click.option(
    "--timeframe", type=TimeframeType(), default="1d", show_default=True, help="1m to 1440m, 1h to 24h, 1d, 1w or 1mo."
)
@click.option("--adjust", default="none", show_default=True, type=click.Choice(ADJUSTMENTS), help="Of older prices.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100_000), help="Most bars to show.")
@json_option
@list_options
def continuous(symbol: Symbol, timeframe: Timeframe, adjust: Adjustment, limit: int, *, as_json: bool) -> None:
    """Show one series from the contracts of ROOT, each followed by the next once that is traded more, and its gaps.

    The next one follows on the trading day after its volume was the larger, or where the bars before it end. One that
    was never traded more is left out, but not the active one. `difference` adds to older prices what the next contract
    was dearer at the stitch, `ratio` multiplies them; the newest contract keeps its prices.
    """
    with connect() as connection:
        until = read_market_now(connection)
        series = []
        for contract_id in sorted(list_contract_ids(connection, symbol), key=_expiry):
            first = bars.find_first(connection, contract_id)
            if first is not None:
                series.append((contract_id, bars.read(connection, contract_id, Span(first, until))))
        if not series:
            raise RefusedError(f"no bars of {symbol.text} are stored: `tickwork bars backfill` fetches them")
        active = contracts.find_active(connection, symbol.root.name)
        made = stitch(series, adjust, active_id=None if active is None else active.id)
        contract = contracts.require(connection, made.parts[-1].contract_id)
        calendar = assumed_calendar_of(symbol.root.group)
        rolled = roll_up(made.bars, timeframe, until, calendar)
        stored_from = time_of(int(made.bars.seconds[0]))
        whole = rolled[rolled.seconds >= made.bars.seconds[0]]  # one that began before the first minute is a part
        shown = whole[-limit:]
        since = time_of(int(shown.seconds[0])) if len(shown) else stored_from
        asked = Span(since, newest_close(until, timeframe, calendar))
        coverage = read_series_coverage(connection, made, asked, contract, calendar)
    rows = list_bar_rows(shown, contract.tick_size)
    stitches = [
        {
            "at": one.at,
            "before": one.before,
            "after": one.after,
            "close_before": _price(one.close_before, contract),
            "close_after": _price(one.close_after, contract),
        }
        for one in made.stitches
    ]
    if as_json:
        facts = {"as_of": coverage.as_of, "stored_from": stored_from, "gaps": coverage.list_rows()}
        print_json({**facts, "bars": rows, "stitches": stitches})
        return
    STITCHES.print(
        [row | {"contract": row["after"]} for row in stitches],
        empty=f"Nothing is stitched: all bars are those of {shorten_contract(contract.id)}.",
    )
    SERIES.print([row | {"contract": contract.id} for row in rows], empty=f"No bar of {timeframe} has closed.")
    if rows:
        echo_note(f"Complete up to {coverage.as_of:%Y-%m-%d %H:%M} UTC.")
    history = describe_history(stored_from, symbol, shown=len(rows), asked=limit)
    for note in filter(None, (history, coverage.describe())):
        echo_note(note)


def _price(ticks: int, contract: Contract) -> Decimal:
    return ticks * contract.tick_size


def _expiry(contract_id: str) -> tuple[str, str]:
    """Return the year and the letter of the month: letters go with the months."""
    month = contract_id.rpartition(".")[2]
    return month[1:], month[0]
