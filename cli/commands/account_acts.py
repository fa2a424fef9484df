"""`tickwork accounts audit`, `clear-breach`, `lock-out`, `approval` and `take-over`: acts of people, and their list."""

from dataclasses import replace
from datetime import timedelta

import click
from sqlalchemy import Connection

from cli.client.audit_text import describe_change
from cli.client.change_check import confirm, current_actor, foresee
from cli.client.job_client import open_client
from cli.client.lookup import resolve_account
from cli.client.reconcile import request_reconcile
from cli.client.risk_view import require_market
from cli.client.stack import begin, connect, load_stack_settings
from cli.console.list_options import list_options
from cli.console.output import print_json
from cli.console.params import json_option, reason_option, yes_option
from cli.console.table import Table
from cli.local.home.folder import Home
from cli.local.home.installation import choose_id, rename_installation
from shared.config import Settings
from shared.db.accounts import accounts, audit
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.installations import find_other, take_over
from shared.db.accounts.lock_outs import lock_out
from shared.db.accounts.switches import switch_approval
from shared.db.orders import fills
from shared.domain.risk.account_risk import loss_limit_level, mark_touched_limits
from shared.domain.risk.findings import chicago_time
from shared.domain.risk.personal_limits import parse_lock_out
from shared.errors import RefusedError

_LONG = timedelta(days=7)  # of a lock-out
_BALANCE_LAGS_BY = timedelta(seconds=5)  # behind the fills that the venue reports
AUDIT = Table(
    "Audit",
    ("happened_at", "account", "act", "change", "who", "origin", "reason"),
    spare=("origin", "who", "account"),
    is_list=True,
)


@click.command("audit")
@click.argument("account", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The most acts to show.")
@json_option
@list_options
def list_audit(account: str | None, limit: int, *, as_json: bool) -> None:
    """List the acts on ACCOUNT, or on all, newest first. Show who acted, from where, the values and the reason.

    They are the commands that change an account, a position, an order, a hook, an API token, a strategy's accounts or
    the schedule.
    """
    with connect() as connection:
        chosen = None if account is None else resolve_account(connection, account).id
        acts = audit.list_acts(connection, chosen, limit=limit)
    if as_json:
        print_json({"acts": acts})
        return
    rows = [act | {"change": describe_change(act["before"], act["after"])} for act in acts]
    AUDIT.print(rows, empty="No change has been made yet.")


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


@click.command("lock-out")
@click.argument("account")
@click.argument("until")
@reason_option
@yes_option
@json_option
def lock_out_account(account: str, until: str, *, reason: str | None, yes: bool, as_json: bool) -> None:
    """Let an account enter nothing until a time. Nothing shortens or lifts that; the same command prolongs it.

    UNTIL is HH:MM of Chicago's clock, today or tomorrow, or an instant with its offset such as
    2026-12-01T08:30-06:00. Exits pass, and the watch cancels resting entries. More than a week asks for confirmation.
    """
    with connect() as connection:
        found = resolve_account(connection, account)
        market_now = require_market(connection).clock.now()
    until_market_at = parse_lock_out(until, market_now)
    ends = chicago_time(until_market_at)
    if until_market_at > market_now + _LONG and not yes:
        confirm(
            f"Account {found.id} ({found.name}) will enter nothing until {ends}, and nothing lifts that. Lock it out?",
            "lock it out",
            as_json=as_json,
        )
    with begin() as connection:
        row = accounts.lock(connection, found.id) or found
        lock_out(connection, row, current_actor(), until_market_at, reason)
    if as_json:
        print_json({"id": row.id, "name": row.name, "locked_out_until_market_at": until_market_at})
    else:
        click.echo(f"Account {row.id} ({row.name}) enters nothing until {ends}; exits pass.")


@click.command("approval")
@click.argument("account")
@click.argument("switch", type=click.Choice(["on", "off"]))
@reason_option
@json_option
def set_approval(account: str, switch: str, *, reason: str | None, as_json: bool) -> None:
    """Let the entries of alerts and strategies wait for a person, or no longer.

    `tickwork approvals` lists, approves and rejects them. Entries that you type, exits, cancels and changes of stops
    never wait.
    """
    is_on = switch == "on"
    with begin() as connection:
        found = resolve_account(connection, account)
        row = accounts.lock(connection, found.id) or found
        switch_approval(connection, row, current_actor(), is_on=is_on, reason=reason)
    if as_json:
        print_json({"id": row.id, "name": row.name, "is_approval_required": is_on})
    elif is_on:
        click.echo(f"Entries of alerts and strategies on account {row.id} ({row.name}) wait for `tickwork approvals`.")
    else:
        click.echo(f"Entries of account {row.id} ({row.name}) are made at once; those that wait can still be approved.")


@click.command("take-over")
@click.argument("account")
@reason_option
@yes_option
@json_option
def take_over_account(account: str, *, reason: str | None, yes: bool, as_json: bool) -> None:
    """Act on an account again that another installation of Tickwork traded. Use it once that one has stopped.

    Two installations on one account would both guard and close its positions, so the one that sees an order of the
    other within 24 h only reads. A later order of the other makes it read-only again.

    After a copy or a restored backup of home or database, the other one has the same id. Then this one gets a new id.
    """
    with connect() as connection:
        found = resolve_account(connection, account)
        market_now = require_market(connection).clock.now()
        other = find_other(found, market_now)
    if other is not None and not yes:
        whose = f"A copy of this installation ({other.id})" if other.has_our_id else f"Installation {other.id}"
        confirm(
            f"{whose} placed an order on account {found.id} ({found.name}) at "
            f"{other.ordered_market_at:%Y-%m-%d %H:%M:%S} UTC of market time. Is it stopped for good?",
            "take the account over",
            as_json=as_json,
        )
    with open_client() as client, client.transaction() as tx:
        row = accounts.lock(tx.connection, found.id) or found
        chosen = choose_id()
        gone = take_over(tx.connection, row, current_actor(), market_now, other, reason=reason, new_id=chosen)
        request_reconcile(tx, row.id)
        if gone.has_our_id:
            rename_installation(Home(load_stack_settings().home), gone.id, chosen)
    new_id = chosen if gone.has_our_id else None
    if as_json:
        told = {"id": row.id, "name": row.name, "other_installation": gone.id, "is_read_only": False}
        print_json(told | {"new_installation": new_id})
    else:
        renamed = "" if new_id is None else f" Its id is {new_id} now."
        click.echo(f"Account {row.id} ({row.name}) is traded by this installation from now on.{renamed}")


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
