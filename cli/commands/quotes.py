"""`tickwork quotes`: the newest price of each contract that the feed follows."""

from typing import Any

import click

from cli.client.risk_view import read_fresh_quotes
from cli.client.stack import connect, load_stack_settings
from cli.console.list_options import list_options
from cli.console.output import print_json
from cli.console.params import json_option
from cli.console.table import Table
from shared.clock import machine_now
from shared.db.market_data import contracts
from shared.domain.market_data.contract import Contract
from shared.hot.quotes import FRESH_FOR, HotQuote

QUOTES = Table(
    "Quotes",
    ("contract", "bid", "ask", "last", "age_s", "quoted_market_at"),
    spare=("quoted_market_at",),
    is_list=True,
)


@click.command("quotes")
@json_option
@list_options
def command(*, as_json: bool) -> None:
    """Show the newest price of each contract. One without a quote of the last 5 s has none."""
    settings = load_stack_settings()
    with connect() as connection:
        found = contracts.list_watched(connection)
    quotes = read_fresh_quotes(settings, [one.id for one in found])
    rows = [_to_row(one, quotes.get(one.id)) for one in found]
    if as_json:
        print_json({"quotes": rows, "fresh_for_s": FRESH_FOR.total_seconds()})
    else:
        QUOTES.print(rows, empty="No contract is tracked yet.")


def _to_row(contract: Contract, quote: HotQuote | None) -> dict[str, Any]:
    return {
        "contract": contract.id,
        "bid": None if quote is None else quote.bid,
        "ask": None if quote is None else quote.ask,
        "last": None if quote is None else quote.last,
        "age_s": None if quote is None else round(quote.age(machine_now()).total_seconds(), 1),
        "quoted_market_at": None if quote is None else quote.at,
    }
