"""`tickwork alerts mock`: reads a message as a webhook would, forecasts its outcome, and sends nothing."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import click
from sqlalchemy import Connection

from cli.client.alert_forecast import forecast
from cli.client.alert_outlook import Forecast
from cli.client.alert_reading import describe_problem, describe_request, format_field, list_fields, read_body
from cli.client.hook_store import require_active_hook
from cli.client.stack import connect, load_stack_settings
from cli.console.output import print_json_line
from shared.clock import machine_now
from shared.config import Settings
from shared.db.accounts.order_limits import ORDER_LIMITS, limits_of
from shared.db.alerts.hooks import Hook
from shared.db.market_data import contracts
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.hook_settings import HookSettings, encode_settings
from shared.domain.alerts.payload import RefusedAlertError
from shared.domain.alerts.receivable import require_receivable
from shared.domain.market_data.contract_text import shorten_contracts
from shared.domain.market_data.tracking import sort_roots

_EXAMPLE_ROOT = "MNQ"


@click.command("mock")
@click.argument("message", required=False)
@click.option(
    "--hook", "hook_name", metavar="NAME", help="Read it in the dialect and with the settings of this webhook."
)
@click.option("--watch", is_flag=True, help="Read messages from stdin, one a line, until its end.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts: one line for each message.")
def mock(message: str | None, hook_name: str | None, *, watch: bool, as_json: bool) -> None:
    """Show how MESSAGE would be read, and what each account would make of it now; send and store nothing.

    Without MESSAGE it is a test alert. Without --hook it is asked of the only tradable account. Exit with status 1 when
    a message would be refused, or denied on an account.
    """
    if watch and message is not None:
        raise click.UsageError("give MESSAGE, or --watch to read messages from stdin, not both")
    settings = load_stack_settings()
    with connect() as connection:
        if hook_name is not None:
            require_active_hook(connection, hook_name)
        tracked = sort_roots(contracts.list_tracked_roots(connection), settings.contracts)
        example = next(iter(tracked), _EXAMPLE_ROOT)
        connection.rollback()
        reader = connection.execution_options(isolation_level="AUTOCOMMIT")  # a watch holds no transaction open
        given = message if message is not None else json.dumps({"action": "test", "symbol": example})
        traded = [
            _show(reader, settings, raw, hook_name, as_json=as_json)
            for raw in (_read_lines() if watch else [given.encode(errors="surrogateescape")])
        ]
    if not all(traded):
        raise click.exceptions.Exit(1)


def _read_lines() -> Iterable[bytes]:
    return (line.rstrip(b"\r\n") for line in sys.stdin.buffer if line.strip())


def _show(connection: Connection, settings: Settings, raw: bytes, hook_name: str | None, *, as_json: bool) -> bool:
    """Print what one message would do; return whether it is taken, and denied on no account."""
    hook = None if hook_name is None else require_active_hook(connection, hook_name)  # it may have been changed
    hook_settings = HookSettings() if hook is None else hook.settings
    reading = read_body(raw, hook_settings.dialect, hook_settings)
    contract_id, problem, forecasts, warning = None, reading.problem, list[Forecast](), None
    if reading.traded is not None:
        contract_id, problem = _find_contract(connection, reading.traded)
        if problem is None:
            forecasts = forecast(connection, settings, raw, reading.traded, hook)
            limits = limits_of(connection.execute(ORDER_LIMITS), settings.max_quantity)
            account_id = next((one.account_id for one in forecasts), None)
            warning = limits.describe_excess(reading.traded, None if hook is None else hook.id, account_id)
    found = {
        "refused": problem,
        "reading": reading.alert and list_fields(reading.alert),
        "request": reading.traded and describe_request(reading.traded),
        "contract": contract_id,
        "hook": hook and _describe_hook(hook),
        "warning": warning,
        "accounts": [asdict(one) | {"is_lost": one.is_lost} for one in forecasts],
    }
    if as_json:
        print_json_line(found)
    else:
        _print_found(found)
    return problem is None and not any(one.is_lost for one in forecasts)


def _find_contract(connection: Connection, alert: Alert) -> tuple[str | None, dict[str, str] | None]:
    """Return the active contract that an alert means, and the problem for which the receiver refuses it, if any."""
    active = contracts.find_active(connection, alert.root.name)
    meant = active.id if active is not None and alert.symbol.names(active.id) else None
    try:
        require_receivable(alert, machine_now(), connection.execute(contracts.TRADED).scalars().all())
    except RefusedAlertError as error:
        return meant, describe_problem(error.wrong, error.field, error.hint)
    return meant, None


def _describe_hook(hook: Hook) -> dict[str, Any]:
    return {"name": hook.name, "account_id": hook.account_id, "is_paused": hook.paused_at is not None} | {
        "settings": encode_settings(hook.settings)
    }


def _print_found(found: dict[str, Any]) -> None:
    refused, hook = found["refused"], found["hook"]
    for name, value in (found["reading"] or {}).items():
        click.echo(f"  {name.replace('_', ' '):18} {format_field(value)}")
    if refused is not None:
        line = f"refused: {refused['problem']} (field {refused['field']}): {refused['hint']}"
        click.echo(f"tickwork: {format_field(shorten_contracts(line))}", err=True)
        return
    click.echo(f"  {'request':18} {found['request']}")
    click.echo(f"  {'contract':18} {shorten_contracts(found['contract'] or 'none is active')}")
    if hook is not None:
        click.echo(
            f"  {'hook':18} {hook['name']}, account {hook['account_id']}{', paused' if hook['is_paused'] else ''}"
        )
        for name, value in hook["settings"].items():
            click.echo(f"  {name.replace('_', ' '):18} {format_field(value)}")
    if found["warning"] is not None:
        click.echo(f"  {'warning':18} {shorten_contracts(found['warning'])}")
    for one in found["accounts"]:
        name = "account" if one["account_id"] is None else f"account {one['account_id']}"
        click.echo(
            f"  {name:18} {one['outcome'].replace('_', ' ')}: {format_field(shorten_contracts(one['detail'] or ''))}"
        )
    lost = [one for one in found["accounts"] if one["is_lost"]]
    where = "" if len(lost) == len(found["accounts"]) else " on every account"
    click.echo(f"{f'Readable, but not traded{where}' if lost else 'Readable'}. Nothing was sent.")
