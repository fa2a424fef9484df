"""`tickwork trades`: round trips, from flat to flat, their notes, and their statistics."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any, TypedDict, Unpack

import click
from sqlalchemy import Connection

from cli.client.lookup import list_contract_ids, resolve_account
from cli.client.stack import connect
from cli.commands.trade_notes import TagType, change_tags, trade_id_of, write_note
from cli.console.groups import CommandGroup
from cli.console.list_options import echo_note, list_options
from cli.console.output import describe_none, print_json
from cli.console.params import DayType, SymbolType, json_option
from cli.console.table import Table
from shared.db.accounts import accounts
from shared.db.trades import round_trips, trade_notes
from shared.db.trades.booking import book_newest
from shared.db.trades.round_trips import RoundTripFilter
from shared.domain.accounts.account_name import shorten_account
from shared.domain.market_data.calendar import trading_day_begins
from shared.domain.market_data.symbol import Symbol
from shared.domain.trades.statistics import GROUPINGS, Statistics, group_statistics, label_of, statistics_of

TRADES = Table(
    "Round trips",
    ("closed_market_at", "account_name", "contract_id", "direction", "quantity", "entry_price", "exit_price", "gross",
     "costs", "net", "mae", "mfe", "held", "strategy", "trade", "tags", "note"),
    spare=("account_name", "note", "tags", "mfe", "mae", "costs", "gross", "held", "trade", "strategy",
           "entry_price"),
    is_list=True,
)  # fmt: skip
GROUPS = Table(
    "Round trips by group",
    ("name", "count", "wins", "losses", "win_rate", "gross", "costs", "net", "expectancy", "average_win",
     "average_loss", "profit_factor", "max_drawdown", "average_mae", "average_mfe"),
    spare=("average_mfe", "average_mae", "average_win", "average_loss", "costs", "gross", "profit_factor", "losses",
           "wins"),
)  # fmt: skip
FIGURES = Table("Round trips", ("figure", "value"))


class _Filters(TypedDict):
    """The filter options, as click gives them."""

    account_word: str | None
    contract: Symbol | None
    strategy: str | None
    tag: str | None
    since: date | None
    until: date | None


def _add_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Add the filter options and --json."""
    for option in reversed(
        [
            click.option(
                "--account", "account_word", metavar="ACCOUNT", help="Only round trips of this account, by id or name."
            ),
            click.option(
                "--contract", type=SymbolType(), metavar="SYMBOL", help="Only round trips of this root or contract."
            ),
            click.option(
                "--strategy", metavar="NAME", help="Only round trips of this strategy or origin, such as manual."
            ),
            click.option("--tag", type=TagType(), metavar="TAG", help="Only round trips with this tag."),
            click.option("--since", type=DayType(), metavar="DATE", help="Closed on this trading day or later."),
            click.option("--until", type=DayType(), metavar="DATE", help="Closed on this trading day or earlier."),
            json_option,
        ]
    ):
        command = option(command)
    return command


@click.group(name="trades", cls=CommandGroup, invoke_without_command=True)
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Most round trips to list."
)
@_add_filters
@list_options
@click.pass_context
def command(ctx: click.Context, /, limit: int, *, as_json: bool, **filters: Unpack[_Filters]) -> None:
    """List round trips, newest first. `trades stats` shows their statistics; `note` and `tag` write about one."""
    if ctx.invoked_subcommand is not None:
        return
    _require_order(filters["since"], filters["until"])
    with connect() as connection:
        book_newest(connection)
        chosen = _to_filter(connection, **filters)
        names = _read_account_names(connection)
        found = trade_notes.add_notes(connection, round_trips.list_page(connection, chosen, limit=limit))
    rows = [row | {"account_name": names[row["account_id"]]} for row in found]
    if as_json:
        print_json({"round_trips": rows})
        return
    empty = _describe_none(**filters)
    TRADES.print([_to_table_row(row) for row in rows], empty=empty)
    if any(row["has_unknown_entry"] for row in rows):
        echo_note(
            "*: includes an opening position, held before the first known fill; its entry price is derived from the "
            "venue's result."
        )


command.add_command(write_note)
command.add_command(change_tags)


@command.command("stats")
@click.option("--by", type=click.Choice(list(GROUPINGS)), help="Group the statistics by this.")
@_add_filters
@click.pass_context
def show_statistics(ctx: click.Context, /, by: str | None, *, as_json: bool, **filters: Unpack[_Filters]) -> None:
    """Show statistics of round trips. They cover every round trip that matches the filters."""
    before = ctx.parent.params if ctx.parent else {}
    either: dict[str, Any] = {name: before.get(name) if value is None else value for name, value in filters.items()}
    _require_order(either["since"], either["until"])
    with connect() as connection:
        book_newest(connection)
        chosen = _to_filter(connection, **either)
        results = round_trips.list_results(connection, chosen)
        names = _read_account_names(connection)
    total, groups = statistics_of(results), group_statistics(results, by) if by else []
    if by == "account":
        groups = [(names[int(account_id)], figures) for account_id, figures in groups]
    if as_json or before.get("as_json"):
        rows = [{"name": name} | asdict(one) for name, one in groups]
        print_json({"total": asdict(total), "by": by, "groups": rows})
    elif not results:
        click.echo(_describe_none(**either))
    elif by:
        shorten = shorten_account if by == "account" else str
        shown = [_to_group_row(shorten(name), figures) for name, figures in groups] + [_to_group_row("total", total)]
        GROUPS.print(shown, empty="", title=f"Round trips by {by}")
    else:
        rows = [{"figure": name.replace("_", " "), "value": value} for name, value in _to_figures(total).items()]
        FIGURES.print(rows, empty="")


def _read_account_names(connection: Connection) -> dict[int, str]:
    return {one.id: one.name for one in accounts.list_all(connection)}


def _require_order(since: date | None, until: date | None) -> None:
    if since and until and since > until:
        raise click.UsageError(f"--since {since} is later than --until {until}: swap them")


def _to_filter(
    connection: Connection,
    *,
    account_word: str | None,
    contract: Symbol | None,
    strategy: str | None,
    tag: str | None,
    since: date | None,
    until: date | None,
) -> RoundTripFilter:
    return RoundTripFilter(
        account_id=None if account_word is None else resolve_account(connection, account_word).id,
        contract_ids=None if contract is None else tuple(list_contract_ids(connection, contract)),
        strategy=strategy,
        tag=tag,
        since_market_at=trading_day_begins(since) if since else None,
        until_market_at=trading_day_begins(until + timedelta(days=1)) if until else None,
    )


def _describe_none(*, account_word: str | None, contract: Symbol | None, **chosen: object) -> str:
    symbol = None if contract is None else contract.text
    return describe_none("round trips", account=account_word, contract=symbol, **chosen)


def _to_table_row(row: dict[str, Any]) -> dict[str, Any]:
    mark = "*" if row["has_unknown_entry"] else ""
    return row | {
        "direction": f"{row['direction']}{mark}",
        "costs": row["fees"] + row["commissions"],
        "held": None if mark else str(row["closed_market_at"] - row["opened_market_at"]).partition(".")[0],
        "strategy": label_of(row["strategy"], row["origin"]),
        "trade": trade_id_of(row["opening_fill_id"], row["part"]),
        "tags": ", ".join(row["tags"]) or None,
        "note": row["note"] or None,
    }


def _to_figures(one: Statistics) -> dict[str, Any]:
    fall = one.max_drawdown
    since = f"{fall.from_market_at:%m-%d %H:%M}" if fall.from_market_at else "the beginning"
    when = f", from {since} to {fall.to_market_at:%m-%d %H:%M}" if fall.to_market_at else ""
    return asdict(one) | {"win_rate": _format_win_rate(one), "max_drawdown": f"{fall.amount:.2f}{when}"}


def _to_group_row(name: str, one: Statistics) -> dict[str, Any]:
    return asdict(one) | {
        "name": name,
        "costs": one.fees + one.commissions,
        "win_rate": _format_win_rate(one),
        "max_drawdown": one.max_drawdown.amount,
    }


def _format_win_rate(one: Statistics) -> str | None:
    return None if one.win_rate is None else f"{100 * one.win_rate:.1f} %"
