"""`tickwork quotes`: the newest price of each contract that the feed follows."""

from contextlib import closing
from datetime import datetime
from typing import Any

import click

from cli.client.stack import connect, load_stack_settings
from cli.console.list_options import list_options
from cli.console.output import print_json
from cli.console.params import json_option
from cli.console.table import Table
from shared.clock import machine_now
from shared.config import Settings
from shared.db.market_data import contracts, market_clock
from shared.domain.market_data.contract import Contract
from shared.hot.connection import CircuitBreaker
from shared.hot.connection import connect as open_redis
from shared.hot.forming_bars import FormingBar, FormingBarReader
from shared.hot.quotes import FRESH_FOR, HotQuote
from shared.overview.risk_view import read_fresh_quotes

QUOTES = Table(
    "Quotes",
    (
        "contract",
        "bid",
        "ask",
        "last",
        "minute_open",
        "minute_high",
        "minute_low",
        "minute_volume",
        "age_s",
        "quoted_market_at",
    ),
    spare=("quoted_market_at", "minute_open", "minute_volume"),
    is_list=True,
)


@click.command("quotes")
@json_option
@list_options
def command(*, as_json: bool) -> None:
    """Show the newest price of each contract. One without a quote of the last 5 s has none.

    The minute that has not ended is shown as the trades make it, if the feed has seen it from its start.
    """
    settings = load_stack_settings()
    with connect() as connection:
        found = contracts.list_watched(connection)
        market = market_clock.read(connection)
    quotes = read_fresh_quotes(settings, [one.id for one in found])
    forming = {} if market is None else _read_forming(settings, [one.id for one in found], market.clock.now())
    rows = [_to_row(one, quotes.get(one.id), forming.get(one.id)) for one in found]
    if as_json:
        print_json({"quotes": rows, "fresh_for_s": FRESH_FOR.total_seconds()})
    else:
        QUOTES.print(rows, empty="No contract is tracked yet.")


def _read_forming(settings: Settings, contract_ids: list[str], market_now: datetime) -> dict[str, FormingBar]:
    if not settings.cache_url:
        return {}
    with closing(open_redis(settings.cache_url)) as client:
        found = FormingBarReader(client, CircuitBreaker()).read(contract_ids, market_now)
    return {contract_id: bar for contract_id, bar in found.items() if bar.is_complete}


def _to_row(contract: Contract, quote: HotQuote | None, minute: FormingBar | None) -> dict[str, Any]:
    return {
        "contract": contract.id,
        "bid": None if quote is None else quote.bid,
        "ask": None if quote is None else quote.ask,
        "last": None if quote is None else quote.last,
        **{
            f"minute_{name}": None if minute is None else getattr(minute, name)
            for name in ("open", "high", "low", "volume")
        },
        "age_s": None if quote is None else round(quote.age(machine_now()).total_seconds(), 1),
        "quoted_market_at": None if quote is None else quote.at,
    }
