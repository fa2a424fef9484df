"""`tickwork alerts mock`: reads a message as a webhook would, and sends nothing."""

import json
import sys
from collections.abc import Iterable
from typing import Any

import click
from sqlalchemy import Connection

from cli.client.alert_reading import describe_problem, describe_request, format_field, list_fields, read_body
from cli.client.hook_store import require_active_hook
from cli.client.stack import connect
from cli.console.output import print_json_line
from shared.clock import machine_now
from shared.db.alerts.hooks import Hook
from shared.db.market_data import contracts
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.hook_settings import HookSettings, encode_settings
from shared.domain.alerts.payload import RefusedAlertError
from shared.domain.alerts.receivable import require_receivable

_EXAMPLE_ROOT = "MNQ"


@click.command("mock")
@click.argument("message", required=False)
@click.option(
    "--hook", "hook_name", metavar="NAME", help="Read it in the dialect and with the settings of this webhook."
)
@click.option("--watch", is_flag=True, help="Read messages from stdin, one a line, until its end.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts: one line for each message.")
def mock(message: str | None, hook_name: str | None, *, watch: bool, as_json: bool) -> None:
    """Show how MESSAGE would be read; send and store nothing.

    Without MESSAGE it is a test alert. Exit with status 1 when a message is refused.
    """
    if watch and message is not None:
        raise click.UsageError("give MESSAGE, or --watch to read messages from stdin, not both")
    with connect() as connection:
        hook = None if hook_name is None else require_active_hook(connection, hook_name)
        example = min(contracts.list_tracked_roots(connection), default=_EXAMPLE_ROOT)
        connection.rollback()
        reader = connection.execution_options(isolation_level="AUTOCOMMIT")  # a watch holds no transaction open
        given = message if message is not None else json.dumps({"action": "test", "symbol": example})
        readable = [
            _show(reader, raw, hook, as_json=as_json)
            for raw in (_read_lines() if watch else [given.encode(errors="surrogateescape")])
        ]
    if not all(readable):
        raise click.exceptions.Exit(1)


def _read_lines() -> Iterable[bytes]:
    return (line.rstrip(b"\r\n") for line in sys.stdin.buffer if line.strip())


def _show(connection: Connection, raw: bytes, hook: Hook | None, *, as_json: bool) -> bool:
    """Print what one message would do; return whether it is taken."""
    settings = HookSettings() if hook is None else hook.settings
    reading = read_body(raw, settings.dialect, settings)
    contract_id, problem = None, reading.problem
    if reading.traded is not None:
        contract_id, problem = _find_contract(connection, reading.traded)
    found = {
        "refused": problem,
        "reading": reading.alert and list_fields(reading.alert),
        "trades": reading.traded and describe_request(reading.traded),
        "contract": contract_id,
        "hook": hook and _describe_hook(hook),
    }
    if as_json:
        print_json_line(found)
    else:
        _print_found(found)
    return problem is None


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
        click.echo(f"tickwork: {format_field(line)}", err=True)
        return
    click.echo(f"  {'trades':18} {found['trades']}")
    click.echo(f"  {'contract':18} {found['contract'] or 'none is active'}")
    if hook is not None:
        click.echo(
            f"  {'hook':18} {hook['name']}, account {hook['account_id']}{', paused' if hook['is_paused'] else ''}"
        )
        for name, value in hook["settings"].items():
            click.echo(f"  {name.replace('_', ' '):18} {format_field(value)}")
    click.echo("Readable. Nothing was sent.")
