"""`tickwork markets`: the databases of all markets, also of former ones."""

from typing import Any
from urllib.parse import urlsplit

import click

from cli.client.stack import load_stack_settings, read_running_state
from cli.console.groups import CommandGroup
from cli.console.list_options import list_options
from cli.console.output import print_json
from cli.console.params import json_option, yes_option
from cli.console.table import Table
from cli.local.home.credentials import load_credentials
from cli.local.home.folder import Home
from cli.local.servers.market_databases import delete_market, find_market, list_markets, url_of
from cli.local.servers.postgres import postgres_url
from cli.local.servers.psql import start_psql
from cli.local.servers.roles import let_reader_in
from shared.db.reader_url import reader_url
from shared.errors import RefusedError

MARKETS = Table("Markets", ("market", "kind", "size", "last_used_at", "in_use"), spare=("kind",), is_list=True)
_MEGABYTE = 1_000_000


@click.group(name="markets", cls=CommandGroup, invoke_without_command=True)
@json_option
@list_options
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """List the markets of this home.

    Each has a database, and --fresh makes another. `tickwork up --market NAME` opens one again, with --replay FILE if
    it was recorded; `markets psql` looks into one. They are on the embedded server, which has to run.
    """
    if ctx.invoked_subcommand is not None:
        return
    url = _server_url()
    rows = [
        {
            "market": one.name,
            "kind": one.kind,
            "size": f"{one.size_bytes / _MEGABYTE:.0f} MB",
            "size_bytes": one.size_bytes,
            "last_used_at": one.last_used_at,
            "in_use": "yes" if one.session_count else "no",
        }
        for one in list_markets(url)
    ]
    if as_json:
        print_json({"markets": [_to_json(row) for row in rows]})
        return
    MARKETS.print(rows, empty="No market yet.")


@command.command("psql", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def open_psql(name: str, arguments: tuple[str, ...]) -> None:
    """Open psql on a market's database, to read only. Pass ARGUMENTS on to it, such as -c "SELECT * FROM bars".

    As with `db psql` the session has a role of its own, which may not write and sees no secret.
    """
    owner_url = url_of(_server_url(), find_market(_server_url(), name).database)
    let_reader_in(owner_url, load_credentials(_home()))
    start_psql(reader_url(owner_url, _home().root), _home(), arguments)


@command.command("delete")
@click.argument("name")
@yes_option
@json_option
def delete(name: str, *, yes: bool, as_json: bool) -> None:
    """Delete a former market for good: its orders, trades, bars and jobs. Never the one in use."""
    url = _server_url()
    market = find_market(url, name)
    if market.session_count:
        raise RefusedError(f"market {market.name} is in use: stop the stack, start another market, and delete it then")
    size = f"{market.size_bytes / _MEGABYTE:.0f} MB"
    if not yes:
        used = f"last used {market.last_used_at:%Y-%m-%d %H:%M} UTC" if market.last_used_at else "never used"
        click.confirm(f"Delete market {market.name} ({size}, {used}) for good?", abort=True, err=True)
    delete_market(url, market, _home().root / "simulator")
    if as_json:
        print_json({"deleted": market.name, "size_bytes": market.size_bytes})
    else:
        click.echo(f"Deleted {market.name}: {size} are free again.")


def _server_url() -> str:
    """Return the URL of the running embedded server, with its owner's rights; raise RefusedError if none runs."""
    running = urlsplit(load_stack_settings().require_database())
    programs = (read_running_state() or {"programs": []})["programs"]
    if running.port is None or not any(one["name"] == "postgres" for one in programs):
        raise RefusedError("only the embedded PostgreSQL has a database for each market, and none runs here")
    return postgres_url(running.port, load_credentials(_home()).postgres, "postgres")


def _home() -> Home:
    return Home(load_stack_settings().home)


def _to_json(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "size"} | {"in_use": row["in_use"] == "yes"}
