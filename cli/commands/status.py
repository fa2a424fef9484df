"""`tickwork status`: what runs, where, and what time it is in the market."""

from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from cli.client.feed_health import feed_figures, print_feed
from cli.client.risk_view import alarming
from cli.client.stack import connect
from cli.console.output import print_json, print_table
from cli.local.home.folder import Home
from cli.local.home.lock import holder
from cli.local.home.state import read_state
from shared.config import load_settings
from shared.db.accounts import accounts
from shared.db.market_data import market_clock
from shared.log import masked

_NOT_RUNNING = 3  # as systemctl says it


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, with full URLs: keep it to yourself.")
def command(*, as_json: bool) -> None:
    """Show every program and the addresses; ends with status 3 when no stack runs."""
    home = Home(load_settings().home)
    pid = holder(home.root)
    state = read_state(home) or {"programs": [], "urls": {}}
    programs = state["programs"]
    if pid is None:  # what the file says is over
        programs = [one | {"pid": None, "state": "stopped"} for one in programs]
    is_up = pid is not None and bool(state["urls"])
    about, feed = (_market(), feed_figures()) if is_up else (None, None)
    alarms = _alarms(is_live=about["kind"] == "live") if about else []
    if as_json:
        print_json({"programs": programs, "urls": state["urls"], "market": about, "feed": feed, "accounts": alarms})
    elif pid is None:
        click.echo(f"No stack runs in {home.root}: start one with `tickwork up`.")
    else:
        print_table("Programs", programs, ("name", "pid", "state", "restarts"), empty="Nothing is started so far.")
        addresses = [{"what": name, "where": masked(url)} for name, url in state["urls"].items()]
        print_table("Addresses", addresses, ("what", "where"), empty="No addresses so far.")
        if is_up:
            print_feed(feed)
        if about:
            click.echo(_sentence(about))
        for alarm in alarms:
            click.echo(alarm)
    if pid is None:
        raise SystemExit(_NOT_RUNNING)


def _market() -> dict[str, Any] | None:
    try:
        with connect() as connection:
            row = market_clock.read(connection)
    except SQLAlchemyError:  # Postgres may be what does not run: the table of programs tells
        return None
    if row is None:
        return None
    now = row.clock.now()
    return {
        "name": row.market,
        "kind": row.kind,
        "speed": row.clock.speed,
        "market_now": now,
        "ends_market_at": row.ends_market_at,
        "is_over": row.ends_market_at is not None and now >= row.ends_market_at,
    }


def _alarms(*, is_live: bool) -> list[str]:
    try:
        with connect() as connection:
            return alarming(accounts.list_all(connection), is_simulated=not is_live)
    except SQLAlchemyError:  # as above, or the schema is an older one
        return []


def _sentence(about: dict[str, Any]) -> str:
    line = (
        f"Market {about['name']} ({about['kind']}), {about['market_now']:%Y-%m-%d %H:%M:%S} UTC, speed {about['speed']}"
    )
    if about["is_over"]:
        return (
            f"{line}. The recorded file ended at {about['ends_market_at']:%Y-%m-%d %H:%M}: the market is silent. "
            "Play it again with --fresh."
        )
    return f"{line}."
