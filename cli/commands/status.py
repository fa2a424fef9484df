"""`tickwork status`: programs, addresses, the feed, the risk monitor, the ways of alerts, market time and alarms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from cli.client.clock_skew import print_skew, read_skew_figures
from cli.client.failures import describe_failure
from cli.client.feed_health import print_feed
from cli.client.hook_store import describe_blind_hooks
from cli.client.monitor_view import print_monitor
from cli.client.public_url import print_public_url, read_public_url_figures
from cli.client.redis_memory import print_memory, read_memory_figures
from cli.client.spool_view import describe_spool, read_spool_figures
from cli.client.stack import connect, load_stack_settings
from cli.console.addresses import ADDRESSES, list_addresses
from cli.console.output import print_json
from cli.console.table import Table
from cli.local.home.folder import Home
from cli.local.home.lock import find_holder
from cli.local.home.state import read_state
from shared.config import environment, home_folder
from shared.db.market_data import market_clock
from shared.db.market_data.market_clock import MarketRow
from shared.domain.market_data.contract_text import shorten_contracts
from shared.log import mask_secrets
from shared.overview.alarms import Alarm, AlarmCode, list_alarms, list_gap_alarms
from shared.overview.feed_view import read_feed_figures
from shared.overview.monitor_health import read_monitor_figures
from shared.overview.stack_problems import list_problems

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
    database = _read_database() if is_up else None
    answers = database is not None and database.error is None
    feed = read_feed_figures(load_stack_settings().cache_url) if is_up else None
    public_url = read_public_url_figures() if answers else None
    clock = read_skew_figures(has_database=answers) if is_up else None
    spool = read_spool_figures(home.root)
    memory = read_memory_figures(load_stack_settings()) if is_up else []
    if as_json:
        print_json(
            {
                "programs": programs,
                "urls": state["urls"],
                "database": None if database is None else {"is_answering": answers, "error": database.error},
                "market": None if database is None else database.market,
                "clock": clock,
                "feed": feed,
                "risk_monitor": None if database is None else database.monitor,
                "public_url": public_url,
                "spool": spool,
                "memory": memory,
                "alarms": [] if database is None else database.alarms,
                "problems": [] if database is None else database.problems,
            }
        )
    elif pid is None:
        click.echo(f"No stack runs in {home.root}: start one with `tickwork up`.")
    else:
        PROGRAMS.print(programs, empty="No program has started yet.")
        ADDRESSES.print(list_addresses(state["urls"]), empty="No addresses yet.")
        if database is not None:
            print_feed(feed)
            if database.error is None:
                print_monitor(database.monitor)
            else:
                click.echo(f"Risk monitor: not known: {database.error}.")
            print_public_url(public_url)
            print_memory(memory)
        if clock:
            print_skew(clock)
        if database is not None:
            _print_database(database)
    if not as_json and (waiting := describe_spool(spool)) is not None:
        click.echo(f"{waiting}.")
    if pid is None:
        raise SystemExit(_NOT_RUNNING)


@dataclass(frozen=True, slots=True)
class _Database:
    """What Postgres says of the stack; `error` is why it could not be asked, None if it could."""

    error: str | None = None
    market: dict[str, Any] | None = None
    monitor: dict[str, Any] | None = None
    alarms: Sequence[Alarm] = ()
    problems: Sequence[dict[str, str]] = ()


def _read_database() -> _Database:
    """Ask Postgres on one connection, so that a frozen one is waited for only once."""
    settings = load_stack_settings()
    try:
        with connect() as connection:
            row = market_clock.read(connection)
            if row is None:
                return _Database()
            blind = describe_blind_hooks(connection, settings)
            unseen = [Alarm([AlarmCode.SENDERS_UNSEEN], None, line) for line in blind]
            return _Database(
                market=_to_figures(row),
                monitor=read_monitor_figures(connection),
                alarms=[*list_alarms(connection), *list_gap_alarms(connection), *unseen],
                problems=list_problems(connection, settings),
            )
    except SQLAlchemyError as error:  # the table of programs shows whether it runs
        return _Database(mask_secrets(" ".join(describe_failure(error).split())))


def _to_figures(row: MarketRow) -> dict[str, Any]:
    now = row.clock.now()
    return {
        "name": row.market,
        "kind": row.kind,
        "speed": row.clock.speed,
        "market_now": now,
        "ends_market_at": row.ends_market_at,
        "is_over": row.ends_market_at is not None and now >= row.ends_market_at,
    }


def _print_database(found: _Database) -> None:
    if found.error is not None:
        click.echo(f"Market, alarms and problems: not known: {found.error}.")
        return
    if found.market:
        click.echo(_describe_market(found.market))
    for alarm in found.alarms:
        click.echo(shorten_contracts(alarm.message))
    for problem in found.problems:
        click.echo(f"PROBLEM, {problem['name']}: {shorten_contracts(problem['detail'])}.")


def _describe_market(market: dict[str, Any]) -> str:
    now = f"{market['market_now']:%Y-%m-%d %H:%M:%S} UTC"
    line = f"Market {market['name']} ({market['kind']}), {now}, speed {market['speed']}"
    if market["is_over"]:
        return (
            f"{line}. The recorded file ended at {market['ends_market_at']:%Y-%m-%d %H:%M}: no more bars come. "
            "Replay it with --fresh."
        )
    return f"{line}."
