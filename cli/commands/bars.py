"""`tickwork bars`: the stored bars and their coverage."""

import click

from cli.client.stack import connect
from cli.console.output import print_json, print_table
from cli.console.params import json_option
from shared.db import views

_COLUMNS = ("contract", "timeframe", "start", "open", "high", "low", "close", "volume")


@click.command(name="bars")
@click.argument("contract", required=False)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100_000), help="Most bars to show.")
@json_option
def command(contract: str | None, limit: int, *, as_json: bool) -> None:
    """Show the newest bars and the coverage. CONTRACT is the venue's id, or a product such as MNQ."""
    with connect() as connection:
        rows = views.list_bars(connection, contract=contract, since=None, limit=limit)
        coverage = views.list_coverage(connection)
    if as_json:
        print_json({"bars": rows, "coverage": coverage})
        return
    print_table("Coverage", coverage, ("contract", "covered_minutes", "first", "newest"), empty="No bars yet.")
    print_table("Newest bars (market time, UTC)", rows, _COLUMNS, empty="No bars.")
