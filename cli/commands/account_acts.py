"""`tickwork accounts audit` and `accounts clear-breach`: what people changed, and a false breach taken back."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import click
from sqlalchemy import Connection

from cli.client.change_check import current_actor, foresee
from cli.client.lookup import resolve_account
from cli.client.stack import begin, connect, load_stack_settings
from cli.console.output import print_json, print_table
from cli.console.params import json_option
from shared.config import Settings
from shared.db.accounts import accounts, audit
from shared.db.accounts.accounts import AccountRow
from shared.db.orders import fills
from shared.domain.risk.account_risk import loss_limit_level, mark_touched_limits
from shared.errors import RefusedError

_BALANCE_LAGS_BY = timedelta(seconds=5)  # behind the fills that the venue reports
_COLUMNS = ("happened_at", "account", "act", "before", "after", "who", "origin", "reason")


@click.command("audit")
@click.argument("account", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The most acts to show.")
@json_option
def list_audit(account: str | None, limit: int, *, as_json: bool) -> None:
    """List the acts on ACCOUNT, or on all, newest first. Show who acted, from where, the values and the reason.

    They are changes of rules, high-water marks, default stops and live orders, halts, resumes and cleared breaches.
    """
    with connect() as connection:
        chosen = None if account is None else resolve_account(connection, account).id
        acts = audit.list_acts(connection, chosen, limit=limit)
    if as_json:
        print_json({"acts": acts})
        return
    rows = [act | {name: _to_text(act[name]) for name in ("before", "after")} for act in acts]
    print_table("Audit", rows, _COLUMNS, empty="No change has been made yet.")


@click.command("clear-breach")
@click.argument("account")
@click.option("--reason", required=True, help="Why the breach was false; it is kept in the audit.")
@json_option
def clear_breach(account: str, reason: str, *, as_json: bool) -> None:
    """Take back a breach that was false. It needs a reason, and an equity above the loss limit level.

    A breach is for good, as the firm closes such an account: clear it only if the firm's dashboard shows none.
    """
    settings = load_stack_settings()
    with begin() as connection:
        found = resolve_account(connection, account)
        row = accounts.lock(connection, found.id) or found
        if row.breached_market_at is None:
            raise RefusedError(f"account {row.id} ({row.name}) is not breached, so there is nothing to clear")
        if row.reported_at is None or fills.has_recorded_since(
            connection, row.id, None, row.reported_at - _BALANCE_LAGS_BY
        ):
            raise RefusedError(
                f"the balance of account {row.id} ({row.name}) is older than its last fill: try again soon"
            )
        _require_no_breach(connection, settings, row)
        accounts.change_by_hand(
            connection, row, current_actor(), "clear_breach", reason=reason, breached_market_at=None
        )
        accounts.record_event(connection, row.id, "breach_cleared", f"{reason}, by hand")
    if as_json:
        print_json({"id": row.id, "name": row.name, "breached_market_at": None})
    else:
        click.echo(
            f"The breach of account {row.id} ({row.name}) is cleared; `tickwork risk` shows whether it may enter."
        )


def _require_no_breach(connection: Connection, settings: Settings, row: AccountRow) -> None:
    """Raise RefusedError for an account that would be breached again at once."""
    (snapshot,) = foresee(connection, settings, replace(row, breached_market_at=None))
    if snapshot is None:
        return
    risk, book = snapshot.risk, snapshot.book
    equity = "unknown" if risk.equity is None else risk.equity
    if risk.equity is None or mark_touched_limits(risk, book).is_breached:
        raise RefusedError(
            f"account {row.id} ({row.name}) would be breached again at once: its equity is {equity}, "
            f"its loss limit level {loss_limit_level(risk, book)}; "
            f"correct the cause first, with `tickwork accounts high-water-mark {row.id} BALANCE` or "
            f"`tickwork accounts rules {row.id} NAME=VALUE`"
        )


def _to_text(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={'none' if value is None else value}" for name, value in values.items())
