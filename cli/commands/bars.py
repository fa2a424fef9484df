"""`tickwork bars`: the stored bars, their coverage and gaps, and the backfill of older ones."""

from datetime import timedelta
from difflib import get_close_matches
from typing import Any

import click
from sqlalchemy import Connection

from cli.client.bar_gaps import MinuteCounts, count_minutes, list_gaps, list_spans_with_bars
from cli.client.bar_reads import describe_no_contract, read_market_now
from cli.client.job_client import open_client
from cli.client.lookup import list_contract_ids
from cli.client.stack import connect
from cli.commands import bar_check, bar_continuous, bar_export, bar_import, bar_show
from cli.console.groups import CommandGroup
from cli.console.list_options import list_options
from cli.console.output import print_json
from cli.console.params import SymbolType, days_option, json_option
from cli.console.table import Table
from shared.bars.backfill import request_backfill
from shared.db import views
from shared.db.market_data import contracts, rejected_bars
from shared.domain.counting import count_of
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.symbol import Symbol, parse_symbol
from shared.errors import RefusedError
from shared.ledger.jobs.market_data import BackfillBars

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
GAPS = Table("Gaps (market time, UTC)", ("contract", "start", "end", "minutes", "state"), is_list=True)
_MOST_REJECTED = 20


class _BarsGroup(CommandGroup):
    """A group that takes `bars MNQ` for `bars list MNQ`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in {*self.commands, "ls"} and self._is_symbol(args[0]):
            args = ["list", *args]
        return super().parse_args(ctx, args)

    def _is_symbol(self, word: str) -> bool:
        """Whether a word is a symbol, or is to be refused as one: it is no mistyped command."""
        try:
            parse_symbol(word)
        except ValueError:
            return not get_close_matches(word, list(self.commands), n=1, cutoff=0.7)
        return True


@click.group("bars", cls=_BarsGroup)
def command() -> None:
    """Show, draw, check, fetch, export and import bars."""


for _command in (
    bar_show.show,
    bar_show.chart,
    bar_continuous.continuous,
    bar_check.check,
    bar_export.export,
    bar_import.import_files,
):
    command.add_command(_command)


@command.command("list")
@click.argument("symbol", required=False, type=SymbolType())
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100_000), help="Most bars to show.")
@json_option
@list_options
def show_list(symbol: Symbol | None, limit: int, *, as_json: bool) -> None:
    """Show the newest bars, the coverage, and what was set aside.

    SYMBOL is as in an alert: MNQ, MNQ1!, MNQZ6, or the venue's id.
    """
    with connect() as connection:
        contract_ids = None if symbol is None else list_contract_ids(connection, symbol)
        rows = views.list_bars(connection, contract_ids=contract_ids, since=None, limit=limit)
        coverage = [
            row for row in views.list_coverage(connection) if contract_ids is None or row["contract"] in contract_ids
        ]
        rejected = rejected_bars.list_newest(connection, contract_ids, limit=_MOST_REJECTED)
    if as_json:
        print_json({"bars": rows, "coverage": coverage, "rejected": rejected})
        return
    COVERAGE.print(coverage, empty="No bars yet." if symbol is None else f"No bars of {symbol.text} yet.")
    if rejected:
        REJECTED.print(rejected, empty="")
    BARS.print(rows, empty="No bars." if symbol is None else f"No bars of {symbol.text}.")


@command.command("gaps")
@click.argument("symbol", required=False, type=SymbolType())
@days_option
@json_option
@list_options
def show_gaps(symbol: Symbol | None, days: int, *, as_json: bool) -> None:
    """Show the minutes of open sessions that are not complete, newest first.

    Without SYMBOL those of every contract with bars, from its first bar on; of one that is not active to its newest
    bar. `tickwork bars backfill` fetches them, but for those that are set aside: of them the venue has sent what cannot
    be a bar.
    """
    rows: list[dict[str, Any]] = []
    with connect() as connection:
        span = _span_of(connection, days)
        wanted = None if symbol is None else list_contract_ids(connection, symbol)
        stored = list_spans_with_bars(connection, wanted, span)
        for contract, lived in stored:
            rows += list_gaps(connection, contract.id, lived)
    rows.sort(key=lambda row: row["start"], reverse=True)
    if as_json:
        searched = [{"contract": one.id, "since": lived.start, "until": lived.end} for one, lived in stored]
        print_json({"gaps": rows, "contracts": searched})
        return
    name = "SYMBOL" if symbol is None else symbol.text
    none = f"No bars{'' if symbol is None else f' of {name}'} are stored: `tickwork bars backfill {name}` fetches them."
    GAPS.print(rows, empty=f"No gaps: every minute is complete{_describe_first(stored, span)}." if stored else none)


@command.command("backfill")
@click.argument("symbol", type=SymbolType())
@days_option
@json_option
def backfill(symbol: Symbol, days: int, *, as_json: bool) -> None:
    """Fetch the bars of SYMBOL that are missing, newest first, as far back as the venue has them.

    The workers do it, a page of ten days at a time and politely to the venue's limits. Ctrl-C leaves them at it, and
    asking again goes on where they are. What the venue has no bar of is asked for once more half a minute later.
    """
    with open_client() as client:
        with client.connect() as connection:
            span = _span_of(connection, days)
            contract_ids = _list_backfilled(connection, symbol)
            before = {one: count_minutes(connection, one, span) for one in contract_ids}
        with client.transaction() as tx:
            jobs = [
                request_backfill(tx, BackfillBars(contract_id=one, since=span.start, until=span.end)).job_id
                for one in contract_ids
            ]
        outcomes = client.wait(
            jobs, None, lambda connection: _describe_progress(connection, contract_ids, span), quiet=as_json
        )
        with client.connect() as connection:
            after = {one: count_minutes(connection, one, span) for one in contract_ids}
    outcomes.require_success()
    rows = [
        {
            "contract": one,
            "since": span.start,
            "until": span.end,
            "minutes": after[one].total,
            "complete_before": before[one].complete,
            "complete": after[one].complete,
        }
        for one in contract_ids
    ]
    if as_json:
        print_json({"contracts": rows})
        return
    for one, counts in after.items():
        complete, of_total = f"{counts.complete:,}", count_of(counts.total, "minute")
        click.echo(f"{shorten_contract(one)}: {complete} of {of_total} are complete{_describe_left(counts)}.")


def _describe_first(stored: list[tuple[Contract, Span]], span: Span) -> str:
    """Return from when on each contract was searched, if that is not the whole span."""
    firsts = {shorten_contract(one.id): lived.start for one, lived in stored if lived.start > span.start}
    if not firsts:
        return ""
    if len(stored) == 1:
        return f" from the first bar on, {firsts.popitem()[1]:%Y-%m-%d %H:%M} UTC"
    shown = ", ".join(f"{name} {first:%Y-%m-%d %H:%M}" for name, first in firsts.items())
    return f" from the first bar on ({shown} UTC)"


def _describe_left(counts: MinuteCounts) -> str:
    other = counts.total - counts.complete - counts.set_aside
    left = f"; of {counts.set_aside:,} the venue sent what cannot be a bar: `tickwork bars list`"
    missing = f"; the venue's answers had no bar of the other {other:,}"
    return (left if counts.set_aside else "") + (missing if other else "")


def _list_backfilled(connection: Connection, symbol: Symbol) -> list[str]:
    """Return the contract of a month, or the active one of a root; raise RefusedError if none is known."""
    if symbol.month is not None:
        found = list_contract_ids(connection, symbol)
    else:
        active = contracts.find_active(connection, symbol.root.name)
        found = [] if active is None else [active.id]
    if not found:
        raise RefusedError(describe_no_contract(connection, symbol))
    return found


def _span_of(connection: Connection, days: int) -> Span:
    """Return the last days of market time, to the last whole minute."""
    until = read_market_now(connection)
    return Span(until - timedelta(days=days), until)


def _describe_progress(connection: Connection, contract_ids: list[str], span: Span) -> str:
    counts = [(shorten_contract(one), count_minutes(connection, one, span)) for one in contract_ids]
    return ", ".join(
        f"{name} {100 * one.complete // max(one.total, 1)} % ({one.complete:,} of {count_of(one.total, 'minute')})"
        for name, one in counts
    )
