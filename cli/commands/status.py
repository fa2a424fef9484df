"""`tickwork status`: programs, addresses, the feed, the risk monitor, the ways of alerts, market time and alarms."""

from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from cli.client.clock_skew import print_skew, read_skew_figures
from cli.client.feed_health import print_feed, read_feed_figures
from cli.client.hook_store import describe_blind_hooks
from cli.client.monitor_view import print_monitor, read_monitor_figures
from cli.client.public_url import print_public_url, read_public_url_figures
from cli.client.redis_memory import print_memory, read_memory_figures
from cli.client.risk_view import Alarm, AlarmCode, list_alarms, list_gap_alarms
from cli.client.spool_view import describe_spool, read_spool_figures
from cli.client.stack import connect, load_stack_settings
from cli.client.stack_problems import list_problems
from cli.console.addresses import ADDRESSES, list_addresses
from cli.console.output import print_json
from cli.console.table import Table
from cli.local.home.folder import Home
from cli.local.home.lock import find_holder
from cli.local.home.state import read_state
from shared.config import environment, home_folder
from shared.db.market_data import market_clock

PROGRAMS = Table("Programs", ("name", "pid", "state", "restarts"), is_list=True)
_NOT_RUNNING = 3  # the status of systemctl for a stopped unit


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, with passwords in the URLs: keep it private.")
def command(*, as_json: bool) -> None:
    """Show the programs and their addresses. Exit with status 3 when no stack runs."""
    home = Home(home_folder(environment()))
    pid = find_holder(home.root)
    state = read_state(home) or {"programs": [], "urls": {}}
    programs = state["programs"]
    if pid is None:  # the file describes a stack that has ended
        programs = [one | {"pid": None, "state": "stopped"} for one in programs]
    is_up = pid is not None and bool(state["urls"])
    market, feed, public_url, clock = (
        (_read_market(), read_feed_figures(), read_public_url_figures(), read_skew_figures())
        if is_up
        else (None, None, None, None)
    )
    spool = read_spool_figures(home.root)
    memory = read_memory_figures(load_stack_settings()) if is_up else []
    alarms, monitor, problems = _read_alarms() if market else ([], None, [])
    if as_json:
        print_json(
            {
                "programs": programs,
                "urls": state["urls"],
                "market": market,
                "clock": clock,
                "feed": feed,
                "risk_monitor": monitor,
                "public_url": public_url,
                "spool": spool,
                "memory": memory,
                "alarms": alarms,
                "problems": problems,
            }
        )
    elif pid is None:
        click.echo(f"No stack runs in {home.root}: start one with `tickwork up`.")
    else:
        PROGRAMS.print(programs, empty="No program has started yet.")
        ADDRESSES.print(list_addresses(state["urls"]), empty="No addresses yet.")
        if is_up:
            print_feed(feed)
            print_monitor(monitor)
            print_public_url(public_url)
            print_memory(memory)
        if clock:
            print_skew(clock)
        if market:
            click.echo(_describe_market(market))
        _print_lines(alarms, problems)
    if not as_json and (waiting := describe_spool(spool)) is not None:
        click.echo(f"{waiting}.")
    if pid is None:
        raise SystemExit(_NOT_RUNNING)


def _read_market() -> dict[str, Any] | None:
    try:
        with connect() as connection:
            row = market_clock.read(connection)
    except SQLAlchemyError:  # Postgres may be down: the table of programs shows it
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


def _read_alarms() -> tuple[list[Alarm], dict[str, Any] | None, list[dict[str, str]]]:
    """Return the alarms, the figures of the risk monitor, and the problems."""
    settings = load_stack_settings()
    try:
        with connect() as connection:
            blind = describe_blind_hooks(connection, settings)
            unseen = [Alarm([AlarmCode.SENDERS_UNSEEN], None, line) for line in blind]
            alarms = [*list_alarms(connection), *list_gap_alarms(connection), *unseen]
            return alarms, read_monitor_figures(connection), list_problems(connection, settings)
    except SQLAlchemyError:  # as above, or the schema is out of date
        return [], None, []


def _print_lines(alarms: list[Alarm], problems: list[dict[str, str]]) -> None:
    for line in (*(one.message for one in alarms), *(f"PROBLEM, {one['name']}: {one['detail']}." for one in problems)):
        click.echo(line)


def _describe_market(market: dict[str, Any]) -> str:
    now = f"{market['market_now']:%Y-%m-%d %H:%M:%S} UTC"
    line = f"Market {market['name']} ({market['kind']}), {now}, speed {market['speed']}"
    if market["is_over"]:
        return (
            f"{line}. The recorded file ended at {market['ends_market_at']:%Y-%m-%d %H:%M}: no more bars come. "
            "Replay it with --fresh."
        )
    return f"{line}."
