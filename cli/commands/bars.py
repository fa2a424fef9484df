"""`tickwork bars`: the stored bars and their coverage."""

import click

from cli.client.stack import connect
from cli.console.list_options import list_options
from cli.console.output import print_json
from cli.console.params import json_option
from cli.console.table import Table
from shared.db import views

BARS = Table(
    "Newest bars (market time, UTC)",
    ("contract", "timeframe", "start", "open", "high", "low", "close", "volume"),
    spare=("timeframe",),
    is_list=True,
)
COVERAGE = Table("Coverage", ("contract", "covered_minutes", "first", "newest"))


@click.command(name="bars")
@click.argument("contract", required=False)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100_000), help="Most bars to show.")
@json_option
@list_options
def command(contract: str | None, limit: int, *, as_json: bool) -> None:
    """Show the newest bars and the coverage. CONTRACT is the venue's id, or a product such as MNQ."""
    with connect() as connection:
        rows = views.list_bars(connection, contract=contract, since=None, limit=limit)
        coverage = views.list_coverage(connection)
    if as_json:
        print_json({"bars": rows, "coverage": coverage})
        return
    COVERAGE.print(coverage, empty="No bars yet.")
    BARS.print(rows, empty="No bars.")
