"""`tickwork alerts`: the alerts that the webhooks received, the outcome of each, and a trial of a message."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from threading import Event
from typing import Any

import click
from sqlalchemy import Connection

from cli.client.alert_lookup import find_alert
from cli.client.alert_reading import AlertReading, escape_body, format_field, list_fields, read_body
from cli.client.alert_view import AlertOutcome, describe_outcome, read_accounts, read_outcomes, to_cells, to_row
from cli.client.alert_watch import AlertWatch
from cli.client.hook_store import find_hook
from cli.client.stack import connect
from cli.client.verdict_figures import name_figures
from cli.commands import alert_mock, alert_replay
from cli.console.groups import CommandGroup
from cli.console.list_options import Form, chosen_columns, chosen_form, form_options
from cli.console.output import describe_none, print_json, print_json_line
from cli.console.params import AlertIdType, DurationType, json_option
from cli.console.table import Table
from shared.db.alerts import alert_history
from shared.db.alerts.alert_history import AlertFilter, AlertRecord
from shared.domain.alerts.copy_ratio import SAME
from shared.domain.duration_text import format_duration
from shared.domain.error_text import shorten_error
from shared.domain.market_data.contract_text import shorten_contracts

ALERTS = Table(
    "Alerts",
    ("id", "received_at", "hook", "action", "root", "quantity", "target_position", "verdict", "job", "signal", "order",
     "submitted_ms", "reason"),
    spare=("job", "target_position", "submitted_ms", "hook", "signal", "verdict"),
    is_list=True,
)  # fmt: skip
ORDERS = Table(
    "Orders",
    ("id", "role", "side", "quantity", "type", "state", "filled_quantity", "average_fill_price", "stop_price",
     "limit_price", "origin", "reason"),
    spare=("origin", "limit_price", "filled_quantity", "type", "stop_price", "average_fill_price"),
)  # fmt: skip
FILLS = Table(
    "Fills",
    ("filled_market_at", "contract_id", "side", "quantity", "price", "gross_pnl", "fees", "commissions"),
    spare=("commissions", "fees"),
)
FLATTENS = Table("Flatten requests", ("requested_at", "contract", "sweep_count", "progress", "flat_at"))
_POLL_EVERY_S = 0.5


@click.group(name="alerts", cls=CommandGroup)
def command() -> None:
    """Show received alerts and their outcomes."""


command.add_command(alert_replay.replay)
command.add_command(alert_mock.mock)


@command.command("list")
@click.option("--hook", "hook_name", metavar="NAME", help="Only alerts of this webhook.")
@click.option("--verdict", type=click.Choice(["accepted", "refused"]), help="Only these, of the newest 100,000 alerts.")
@click.option("--since", type=DurationType(), metavar="DURATION", help="Received at most this long ago, such as 30m.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Most alerts to list.")
@click.option("--watch", is_flag=True, help="Go on with a line for each new alert and each new outcome, until Ctrl-C.")
@json_option
@form_options
def list_alerts(
    hook_name: str | None, verdict: str | None, since: timedelta | None, limit: int, *, watch: bool, as_json: bool
) -> None:
    """List received alerts, newest first.

    A refused alert has a reason and no job. The signal is the verdict of the pre-trade check, of several accounts with
    the name of each, the hook's own first; submitted ms is the time until its first order was submitted.
    """
    with connect() as connection:
        hook_id = None if hook_name is None else find_hook(connection, hook_name).id
        chosen = AlertFilter(hook_id=hook_id, verdict=verdict, since=since)
        if watch:
            connection.rollback()  # a watch holds no transaction open
            _watch(connection.execution_options(isolation_level="AUTOCOMMIT"), chosen, limit, as_json=as_json)
        records = alert_history.list_newest(connection, chosen, limit)
        rows = [to_row(outcome) for outcome in read_outcomes(connection, records)]
    if as_json:
        print_json({"alerts": rows})
    else:
        duration = None if since is None else format_duration(since)
        empty = describe_none("alerts", hook=hook_name, verdict=verdict, since=duration)
        ALERTS.print(list(map(to_cells, rows)), empty=empty)


def _watch(connection: Connection, chosen: AlertFilter, limit: int, *, as_json: bool) -> None:
    """Print a line for each alert and each change of its outcome; end only by Ctrl-C."""
    watch, pause = AlertWatch(chosen), Event()
    is_csv = chosen_form() is Form.CSV
    if chosen_columns() and not is_csv:
        raise click.UsageError("--columns chooses of a table or CSV, and --watch prints lines: add -o csv")
    rows = watch.start(connection, limit)
    if is_csv:
        ALERTS.write_csv(list(map(to_cells, rows)))
    else:
        _print_lines(rows, as_json=as_json)
    while True:
        rows = list(watch.poll(connection))
        if is_csv:
            ALERTS.write_csv(list(map(to_cells, rows)), has_heading=False)
        else:
            _print_lines(rows, as_json=as_json)
        sys.stdout.flush()
        pause.wait(_POLL_EVERY_S)


def _print_lines(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    for row in rows:
        if as_json:
            print_json_line(row)
            continue
        size = f"to {row['target_position']:+}" if row["target_position"] is not None else row["quantity"]
        parts = [f"{row['received_at']:%m-%d %H:%M:%S}", row["id"], row["hook"], row["action"], size, row["root"]]
        outcome = describe_outcome(row) + (
            f": {format_field(shorten_contracts(row['reason']))}" if row["reason"] else ""
        )
        click.echo(f"{' '.join(str(part) for part in parts if part is not None)}  {outcome}")


@command.command("show")
@click.argument("digits", metavar="ID", type=AlertIdType())
@json_option
def show(digits: str, *, as_json: bool) -> None:
    """Show an alert in full. Print its body, its reading, and on each account its signal, orders and fills."""
    with connect() as connection:
        (outcome,) = read_outcomes(connection, [find_alert(connection, digits)])
        accounts = read_accounts(connection, outcome)
    record = outcome.record
    reading = read_body(record.body, record.dialect)
    if as_json:
        print_json(
            {
                "alert": to_row(outcome)
                | {"dialect": record.dialect, "sent_at": record.sent_at, "job_id": record.job_id},
                "age_s": _age_s(record),
                "body": escape_body(record.body),
                "reading": reading.alert and list_fields(reading.alert),
                "refused": reading.problem,
                "accounts": [one | {"signal": _name_signal(one["signal"])} for one in accounts],
            }
        )
        return
    _print_alert(outcome, reading)
    for account in accounts:
        _print_account(account)
    if accounts:
        click.echo(f"\nStep by step, from the receipt to the proven stop: tickwork trace {record.id}")


def _name_signal(signal: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if signal is None else signal | {"figures": name_figures(signal["figures"])}


def _print_alert(outcome: AlertOutcome, reading: AlertReading) -> None:
    record, age_s = outcome.record, _age_s(outcome.record)
    click.echo(f"Alert {record.id} of hook {record.hook}, {record.verdict}")
    facts = {
        "reason": outcome.reason and format_field(shorten_contracts(outcome.reason)),
        "received": f"{record.received_at:%Y-%m-%d %H:%M:%S.%f} UTC",
        "sent": None if age_s is None else f"{record.sent_at:%Y-%m-%d %H:%M:%S} UTC, {_describe_age(age_s)}",
        "dialect": record.dialect,
        "job": record.job_id and f"{record.job_id}, {record.job_state or 'deleted since'}",
    }
    _print_facts({name: value for name, value in facts.items() if value})
    click.echo("\nBody, as it was received:\n  " + escape_body(record.body).replace("\n", "\n  "))
    click.echo("\nReading:")
    _print_facts(list_fields(reading.alert) if reading.alert else reading.problem or {})


def _print_account(account: dict[str, Any]) -> None:
    ratio = account["copy_ratio_now"]
    now = "" if ratio in {None, SAME} else f", copy ratio now {ratio:f}"
    click.echo(f"\nAccount {account['account_id']} ({account['account']}){now}")
    signal, job = account["signal"], account["job"]
    if signal is not None:
        asked = " ".join(
            str(signal[name]) for name in ("action", "quantity", "contract_id") if signal[name] is not None
        )
        reason = f": {format_field(shorten_contracts(signal['reason']))}" if signal["reason"] else ""
        _print_facts({"signal": f"{shorten_contracts(asked)}, {signal['verdict']}{reason}"})
    if job is not None:
        is_failure = job["error"] and job["state"] != "succeeded"  # else it is the error of an earlier attempt
        error = f": {format_field(shorten_contracts(shorten_error(job['error'])))}" if is_failure else ""
        _print_facts({"job": f"{job['id']}, {job['state']}{error}"})
    ORDERS.print(account["orders"], empty="No orders.")
    if account["flatten_requests"]:
        requests = [row | {"contract": row["contract_id"] or "everything"} for row in account["flatten_requests"]]
        FLATTENS.print(requests, empty="")
    FILLS.print(account["fills"], empty="No fills.")


def _print_facts(facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        click.echo(f"  {name.replace('_', ' '):18} {format_field(value)}")


def _describe_age(age_s: float) -> str:
    if age_s < 0:
        return f"{-age_s:.1f} s after it was received: the clocks disagree"
    return f"{age_s:.1f} s before it was received"


def _age_s(record: AlertRecord) -> float | None:
    return None if record.sent_at is None else (record.received_at - record.sent_at).total_seconds()
