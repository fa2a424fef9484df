"""Changes of an account by a person: who acts, and a confirmation of what a change would do at once."""

import os
import platform
import pwd
import sys
from collections.abc import Sequence

import click
from sqlalchemy import Connection

from cli.client.risk_view import require_market
from shared.config import Settings
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.audit import Actor
from shared.db.orders import positions
from shared.db.risk import risk_snapshots
from shared.db.risk.risk_snapshots import RiskSnapshot
from shared.domain.risk.account_risk import loss_limit_level
from shared.domain.risk.change_effects import immediate_effects
from shared.domain.risk.findings import dollars
from shared.errors import SettingsError
from shared.hot.quotes import exit_price_from
from shared.overview.risk_view import read_fresh_quotes


def current_actor() -> Actor:
    """Return the user of this computer who runs the command, for the audit."""
    user = os.getuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:  # a container may run as a user without a name
        name = f"uid {user}"
    return Actor(name, f"{_find_typed_command()} on {platform.node()}")


def _find_typed_command() -> str:
    """Return the command as a person types it: of one that another runs, as `setup` does, the other."""
    typed = context = click.get_current_context()
    while context.parent is not None:
        context = context.parent
        if not isinstance(context.command, click.Group):
            typed = context
    return typed.command_path


def foresee(connection: Connection, settings: Settings, *rows: AccountRow) -> list[RiskSnapshot | None]:
    """Return the risk of each row as if it were stored: None for one without rules. The rows are of one account."""
    clock = require_market(connection).clock
    held = {position.contract_id for position in positions.list_in_accounts(connection, [rows[0].id])}
    prices = exit_price_from(read_fresh_quotes(settings, held))
    limit = settings.max_quantity
    return [
        risk_snapshots.read(connection, [row], clock, lambda _: prices, max_quantity=limit).get(row.id) for row in rows
    ]


def confirm_effects(
    connection: Connection,
    settings: Settings,
    row: AccountRow,
    changed: AccountRow,
    *,
    yes: bool,
    as_json: bool,
    loosened: Sequence[str] = (),
) -> None:
    """Ask once if a change would do harm at once, or is looser than the firm's rules, as `loosened` says.

    Raise SettingsError on a no, or without a terminal.
    """
    if yes:
        return
    before, after = foresee(connection, settings, row, changed)
    parts = [f"{'; '.join(loosened)}."] if loosened else []
    if after is not None:
        effects = immediate_effects(
            None if before is None else (before.risk, before.book),
            (after.risk, after.book),
            require_market(connection).clock.now(),
        )
        if effects:
            parts.insert(0, f"Within a second of this change: {'; '.join(effects)}.")
    if parts:
        confirm(f"{' '.join(parts)} Change it?", "change it", as_json=as_json)


def describe_lowered_mark(
    connection: Connection, settings: Settings, row: AccountRow, changed: AccountRow
) -> str | None:
    """Return the consequence of a high-water mark that is too low, None if the changed one is not."""
    before, after = foresee(connection, settings, row, changed)
    mark = changed.high_water_mark
    if before is None or after is None or mark is None:
        return None
    level, new_level = (loss_limit_level(one.risk, one.book) for one in (before, after))
    if level is not None and new_level is not None and new_level < level:
        return (
            f"The loss limit level falls from {dollars(level)} to {dollars(new_level)}: Tickwork lets the account lose "
            f"{dollars(level - new_level)} more, and the firm closes it at its own level"
        )
    opening = after.risk.day_opening_balance
    if opening is not None and mark < opening:
        return (
            f"The mark {dollars(mark)} is below {dollars(opening)}, the balance at which the day opened, so it is not "
            "the highest end-of-day balance; with a mark that is too low the firm closes the account before Tickwork "
            "stops it"
        )
    return None


def confirm(question: str, act: str, *, as_json: bool) -> None:
    """Ask a question at the terminal; raise SettingsError on a no, or without a terminal, where --yes must say it."""
    if as_json or not sys.stdin.isatty():
        raise SettingsError(f"{question} There is no terminal to confirm at: add --yes to {act}")
    if not click.confirm(question, err=True):
        raise SettingsError("nothing was changed")
