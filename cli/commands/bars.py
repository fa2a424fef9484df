"""`tickwork bars`: the stored bars and their coverage."""

import click

from cli.client.lookup import list_contract_ids
from cli.client.stack import connect
from cli.console.list_options import list_options
from cli.console.output import print_json
from cli.console.params import SymbolType, json_option
from cli.console.table import Table
from shared.db import views
from shared.db.market_data import rejected_bars
from shared.domain.market_data.symbol import Symbol

BARS = Table(
    "Newest bars (market time, UTC)",
    ("contract", "timeframe", "start", "open", "high", "low", "close", "volume"),
    spare=("timeframe",),
    is_list=True,
)
COVERAGE = Table("Coverage", ("contract", "covered_minutes", "first", "newest"))
REJECTED = Table(
    "Set aside, as they cannot be bars (start: market time; last seen: here), UTC",
    ("contract", "start", "reason", "last_seen_at"),
)
_MOST_REJECTED = 20


@click.command(name="bars")
@click.argument("symbol", required=False, type=SymbolType())
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100_000), help="Most bars to show.")
@json_option
@list_options
def command(symbol: Symbol | None, limit: int, *, as_json: bool) -> None:
    """Show the newest bars, the coverage, and what was set aside.

    SYMBOL is as in an alert: MNQ, MNQ1!, MNQZ6, or the venue's id.
    """
    with connect() as connection:
        contract_ids = None if symbol is None else list_contract_ids(connection, symbol)
        rows = views.list_bars(connection, contract_ids=contract_ids, since=None, limit=limit)
        coverage = views.list_coverage(connection)
        rejected = rejected_bars.list_newest(connection, contract_ids, limit=_MOST_REJECTED)
    if as_json:
        print_json({"bars": rows, "coverage": coverage, "rejected": rejected})
        return
    COVERAGE.print(coverage, empty="No bars yet.")
    if rejected:
        REJECTED.print(rejected, empty="")
    BARS.print(rows, empty="No bars." if symbol is None else f"No bars of {symbol.text}.")
