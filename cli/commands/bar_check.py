"""`tickwork bars check`: the stored bars, checked against what must be true of them."""

from dataclasses import asdict
from datetime import timedelta

import click

from cli.client.bar_findings import check_contract
from cli.client.bar_gaps import list_spans_with_bars
from cli.client.bar_reads import read_market_now
from cli.client.lookup import list_contract_ids
from cli.client.stack import connect
from cli.console.output import print_json
from cli.console.params import SymbolType, days_option, json_option
from cli.console.table import Table
from shared.domain.counting import count_of
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.symbol import Symbol
from shared.errors import RefusedError

CHECKED = Table(
    "Checked (market time, UTC)",
    ("contract", "since", "until", "bars", "no_trade_minutes", "gap_minutes"),
    spare=("since",),
)
FINDINGS = Table("Findings (market time, UTC)", ("contract", "fault", "count", "start", "detail"))


def _parse_symbol(ctx: click.Context, param: click.Parameter, word: str) -> Symbol | None:
    """Return the symbol, None for `all`."""
    return None if word == "all" else SymbolType().convert(word, param, ctx)


@click.command("check")
@click.argument("symbol", metavar="SYMBOL|all", callback=_parse_symbol)
@days_option
@json_option
def check(symbol: Symbol | None, days: int, *, as_json: bool) -> None:
    """Check the stored bars of SYMBOL, or of all contracts; exit with status 1 if something is wrong.

    Wrong are gaps (but for the newest ten minutes, and those that wait for the venue's second answer), minutes of which
    the venue has sent what cannot be a bar, bars outside the sessions or in the future, prices in the wrong order or of
    another tick, and bars that the coverage does not know. Any other complete minute without a bar is one without a
    trade: those are counted.
    """
    with connect() as connection:
        now = read_market_now(connection)
        wanted = None if symbol is None else list_contract_ids(connection, symbol)
        stored = list_spans_with_bars(connection, wanted, Span(now - timedelta(days=days), now))
        if not stored:
            raise RefusedError(f"no bars{'' if symbol is None else f' of {symbol.text}'} are stored: nothing to check")
        checks = [check_contract(connection, *one, now) for one in stored if one[1].start < one[1].end]
    findings = [finding for one in checks for finding in one.findings]
    if as_json:
        print_json({"contracts": checks})
    else:
        CHECKED.print(
            [asdict(one) for one in checks], empty=f"No contract has bars in the last {count_of(days, 'day')}."
        )
        if checks:
            FINDINGS.print([asdict(one) for one in findings], empty="Nothing is wrong.")
    if findings:
        raise click.exceptions.Exit(1)
