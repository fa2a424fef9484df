"""`tickwork bars export`: stored bars of any timeframe as CSV or parquet."""

from datetime import datetime
from pathlib import Path

import click

from cli.client import parquet
from cli.client.bar_exports import ExportRequest, describe_export_gaps, read_export, write_export
from cli.client.bar_files import ending_of
from cli.client.bar_reads import read_market_now, require_past, resolve_bar_contract
from cli.client.stack import connect
from cli.commands.bar_show import timeframe_option
from cli.console.params import InstantType, SymbolType, require_span
from shared.db.market_data import bars
from shared.domain.counting import count_of
from shared.domain.market_data.bar_columns import no_bars
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.symbol import Symbol
from shared.domain.market_data.timeframe import Timeframe
from shared.errors import RefusedError


@click.command("export")
@click.argument("symbol", type=SymbolType())
@click.option(
    "--to",
    "file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file that ends in .csv, .csv.gz or .parquet.",
)
@timeframe_option
@click.option("--since", type=InstantType(), metavar="TIME", help="Bars from this time on; default: the first one.")
@click.option("--until", type=InstantType(), metavar="TIME", help="Bars that start before this time.")
def export(symbol: Symbol, file: Path, timeframe: Timeframe, since: datetime | None, until: datetime | None) -> None:
    """Write the closed bars of SYMBOL to a file, oldest first, without a limit.

    SYMBOL is one month, such as MNQZ26, or a root, which means its active contract. Times are market time, in UTC.
    Parquet has prices as 64-bit floating point; `tickwork bars import` reads each form.
    """
    require_span(since, until)
    if ending_of(file) == ".parquet":
        parquet.require_pyarrow()
    with connect() as connection:
        contract = resolve_bar_contract(connection, symbol)
        now, first = read_market_now(connection), bars.find_first(connection, contract.id)
        require_past("--since", since, now)
        if first is None:
            raise RefusedError(
                f"no bars of {symbol.text} are stored: `tickwork bars backfill {symbol.text}` fetches them"
            )
        span = Span(max(since, first) if since else first, min(until, now) if until else now)
        wanted = ExportRequest(contract, timeframe, span, now)
        found = read_export(connection, wanted, _echo_progress) if span.start < span.end else no_bars()
        gaps = describe_export_gaps(connection, wanted, symbol) if len(found) else None
    if not len(found):
        raise RefusedError(
            f"no closed bars of {symbol.text} with timeframe {timeframe} start from {since or first:%Y-%m-%d %H:%M} on "
            f"and before {until or now:%Y-%m-%d %H:%M} UTC, as the stored minutes begin at {first:%Y-%m-%d %H:%M}: "
            "nothing was written"
        )
    write_export(file, found, wanted, _echo_progress)
    click.echo(f"Wrote {count_of(len(found), 'bar')} of {shorten_contract(contract.id)} to {file}.", err=True)
    if gaps:
        click.echo(gaps, err=True)


def _echo_progress(text: str) -> None:
    click.echo(f"  {text}", err=True)
