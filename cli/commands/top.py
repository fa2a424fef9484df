"""`tickwork top`: one screen with accounts, positions, the last alerts, the queues and the feed."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import click
from sqlalchemy import Connection

from cli.client.alert_view import read_outcomes, to_row
from cli.client.alert_view import to_cells as to_alert_cells
from cli.client.position_view import list_positions, to_cells
from cli.client.risk_view import require_market
from cli.client.stack import connect, load_stack_settings, read_running_state
from cli.console.list_options import watch
from cli.console.output import print_json
from cli.console.params import json_option
from cli.console.sparkline import draw_share, draw_trend
from cli.console.table import Table
from shared.config import load_settings
from shared.db.accounts import account_reports
from shared.db.accounts.accounts import AccountRow
from shared.db.alerts import alert_history
from shared.db.alerts.alert_history import AlertFilter, AlertRecord
from shared.db.metrics import metrics
from shared.domain.market_data.contract_text import shorten_contracts
from shared.domain.risk.account_risk import day_equity_result, loss_limit_level
from shared.fleets import Queue
from shared.overview.alarms import list_alarms
from shared.overview.feed_view import describe_feed, read_feed_figures
from shared.overview.risk_view import RiskView, read_risk_view
from shared.overview.stack_problems import list_problems

ACCOUNTS = Table(
    "Accounts",
    ("account", "state", "balance", "result_today", "headroom", "loss_left", "trend"),
    spare=("trend", "balance"),
)
POSITIONS = Table(
    "Positions",
    ("account", "contract", "direction", "quantity", "average", "price", "open_profit", "stop"),
    spare=("average", "account"),
)
ALERTS = Table(
    "Last alerts",
    ("received_at", "hook", "action", "root", "quantity", "verdict", "order", "reason"),
    spare=("hook", "quantity"),
)
QUEUES = Table("Queues", ("queue", "queued", "running", "dead"))
_ALERTS_SHOWN, _ALERTS_SEARCHED, _BALANCES_SHOWN = 5, 50, 96
_BAR_WIDTH, _TREND_WIDTH = 10, 24
_PAUSE_S = 2.0


@click.command("top")
@click.option("--once", is_flag=True, help="Show it once, also at a terminal.")
@json_option
def command(*, once: bool, as_json: bool) -> None:
    """Show positions, profit, headroom, alerts and queues. At a terminal it is live, until Ctrl-C."""
    if as_json:
        print_json(_read())
    elif once or not sys.stdout.isatty():
        show_once()
    else:
        watch(show_once, _PAUSE_S)


def show_once() -> None:
    """Print the screen once; say what to do if no stack runs."""
    if read_running_state() is None and not load_settings().database_url:
        click.echo("No stack runs here: start one with `tickwork up`. `tickwork --help` lists the commands.")
        return
    found = _read()
    market = found["market"]
    click.echo(f"Market {market['name']}, market time {market['market_now']:%Y-%m-%d %H:%M:%S} UTC")
    alarms, names = found["alarms"], [one["name"] for one in found["problems"]]
    told = [f"PROBLEM: {', '.join(names)}. `tickwork status` says what to do."] if names else []
    click.echo(
        "\n".join([describe_feed(found["feed"]), *(shorten_contracts(one.message) for one in alarms), *told, ""])
    )
    ACCOUNTS.print(list(map(_draw, found["accounts"])), empty="No account is known yet.\n")
    POSITIONS.print(list(map(to_cells, found["positions"])), empty="Flat: no open position.\n")
    ALERTS.print(
        list(map(to_alert_cells, found["alerts"])),
        empty="No alerts yet: add a webhook with `tickwork hooks add NAME`.\n",
    )
    QUEUES.print(found["queues"], empty="")


def _read() -> dict[str, Any]:
    settings = load_stack_settings()
    with connect() as connection:
        market = require_market(connection)
        risk = read_risk_view(connection, settings)
        balances = account_reports.list_balances(connection, _BALANCES_SHOWN)
        alerts = alert_history.list_newest(connection, AlertFilter(), _ALERTS_SEARCHED)
        return {
            "market": {"name": market.market, "kind": market.kind, "market_now": market.clock.now()},
            "feed": read_feed_figures(settings.cache_url),
            "alarms": list_alarms(connection),
            "problems": list_problems(connection, settings),
            "accounts": [_to_figures(risk, one, balances.get(one.id, [])) for one in risk.accounts],
            "positions": list_positions(connection, settings),
            "alerts": _list_alerts(connection, alerts),
            "queues": _list_queues(connection),
        }


def _list_alerts(connection: Connection, records: Sequence[AlertRecord]) -> list[dict[str, Any]]:
    """Return the newest alerts, without those that only test the way."""
    shown = [one for one in records if one.action != "TEST"][:_ALERTS_SHOWN]
    return [to_row(outcome) for outcome in read_outcomes(connection, shown)]


def _to_figures(risk: RiskView, row: AccountRow, balances: list[Decimal]) -> dict[str, Any]:
    """Return an account's figures; None where a balance or a price is missing."""
    snapshot = risk.snapshots.get(row.id)
    equity = level = basis = result = None
    if snapshot is not None:
        equity, level = snapshot.risk.equity, loss_limit_level(snapshot.risk, snapshot.book)
        basis, result = snapshot.risk.day_basis, day_equity_result(snapshot.risk)
    return {
        "account": row.name,
        "account_id": row.id,
        "state": row.state.value,
        "balance": row.balance,
        "result_today": result,
        "headroom": None if equity is None or level is None else equity - level,
        "headroom_at_opening": None if basis is None or level is None else basis - level,
        "balances": balances,
    }


def _draw(figures: dict[str, Any]) -> dict[str, Any]:
    whole = figures["headroom_at_opening"]
    left = "no limit" if whole is None else draw_share(figures["headroom"], whole, _BAR_WIDTH)
    return figures | {"loss_left": left, "trend": draw_trend(figures["balances"], _TREND_WIDTH)}


def _list_queues(connection: Connection) -> list[dict[str, Any]]:
    counts = {(row["queue"], row["state"]): row["count"] for row in metrics.job_summary(connection, timedelta(0), [])}
    return [
        {"queue": one.value, **{state: counts.get((one.value, state), 0) for state in ("queued", "running", "dead")}}
        for one in Queue
    ]
