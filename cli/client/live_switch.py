"""The switch of an account's live orders, as a person turns it: on only by the account's exact name."""

import sys

import click

from cli.client.change_check import current_actor
from cli.client.job_client import open_client
from cli.client.reconcile import request_reconcile
from shared.db.accounts import accounts, switches
from shared.db.accounts.accounts import AccountRow
from shared.domain.accounts.stage import Stage, parse_stage
from shared.errors import RefusedError, SettingsError

_WARNING = (
    "From then on every alert, strategy and command that passes the pre-trade checks trades real money on this "
    "account. `tickwork accounts live {id} off` stops new entries; open positions can always be closed."
)


def confirm_live(row: AccountRow, name: str | None, *, as_json: bool) -> None:
    """Ask for the account's exact name, unless `name` is it; raise RefusedError for another or an unknown stage."""
    if parse_stage(row.name) is Stage.UNKNOWN:
        raise RefusedError(f"unknown stage of account {row.name!r}: trading is disabled")
    if name is None:
        if as_json or not sys.stdin.isatty():
            raise SettingsError(f"turning live orders on needs the account's exact name: add --name {row.name}")
        click.echo(_WARNING.format(id=row.id), err=True)
        name = ask_name()
    if name != row.name:
        raise RefusedError(
            f"invalid name {name!r} of account {row.id}: expected {row.name}; live orders were not turned on"
        )


def ask_name() -> str:
    """Ask the terminal for an account's name."""
    typed: str = click.prompt("Type the account's name", err=True)
    return typed


def switch_live(row: AccountRow, switch: str, *, reason: str | None) -> AccountRow:
    """Set the live orders of the account to `on`, `off` or `shadow`, on record; return its row as it was before."""
    with open_client() as client, client.transaction() as tx:
        locked = accounts.lock(tx.connection, row.id) or row
        switches.switch_live(tx.connection, locked, current_actor(), switch, reason=reason)
        if switch == "on" and locked.live_since_at is None:
            request_reconcile(tx, locked.id)
    return locked
