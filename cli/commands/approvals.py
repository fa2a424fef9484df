"""`tickwork approvals`: the entries of alerts and strategies that wait for a person, and the decisions about them."""

from contextlib import suppress
from typing import Any
from uuid import UUID

import click
from sqlalchemy import Connection

from cli.client.change_check import current_actor
from cli.client.fill_wait import wait_for_fills
from cli.client.job_client import open_client, wait_option
from cli.client.risk_view import require_market
from cli.client.stack import begin, connect
from cli.commands.order_entry import print_entry
from cli.console.groups import CommandGroup
from cli.console.list_options import list_options
from cli.console.output import print_json
from cli.console.params import ApprovalIdType, json_option
from cli.console.table import Table
from shared.clock import monotonic
from shared.db.accounts.audit import Actor, record_act
from shared.db.orders import entry_approvals
from shared.db.orders.entry_approvals import EntryApproval
from shared.domain.counting import count_of
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.market_data.price_text import format_price_of
from shared.domain.orders.approval import ApprovalState
from shared.errors import RefusedError
from shared.ledger.jobs.orders import EnterApproved, LapseApproval

APPROVALS = Table(
    "Approvals",
    ("id", "asked_at", "expires_at", "account", "side", "quantity", "contract_id", "type", "price", "stop", "target",
     "source", "state", "reason"),
    spare=("asked_at", "source", "target", "type", "price", "state", "account", "stop"),
    is_list=True,
)  # fmt: skip


@click.group(name="approvals", cls=CommandGroup, invoke_without_command=True)
@click.option("--all", "is_all", is_flag=True, help="Also those that were decided or have lapsed.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Most approvals to list.")
@json_option
@list_options
@click.pass_context
def command(ctx: click.Context, limit: int, *, is_all: bool, as_json: bool) -> None:
    """List the entries that wait for approval. Newest first; the subcommands approve and reject them.

    `tickwork accounts approval ACCOUNT on` lets the entries of its alerts and strategies wait.
    """
    if ctx.invoked_subcommand is not None:
        return
    with connect() as connection:
        rows = entry_approvals.list_rows(connection, is_decided_too=is_all, limit=limit)
    if as_json:
        print_json({"approvals": rows})
    else:
        APPROVALS.print(list(map(_to_row, rows)), empty="No entry waits for approval.")


@command.command("approve")
@click.argument("digits", metavar="ID", type=ApprovalIdType())
@wait_option
@json_option
def approve(digits: str, wait_s: float, *, as_json: bool) -> None:
    """Approve an entry. It is made if every rule allows it now; a later close or target position forbids it."""
    actor = current_actor()
    with open_client() as client:
        with client.transaction() as tx:
            row = _decide(tx.connection, digits, ApprovalState.APPROVED, actor, None)
            job_id = tx.enqueue(
                EnterApproved(approval_id=row.id, account_id=row.account_id, alert_id=row.alert_id),
                key=f"approval:{row.id}",
                expires_after=client.settings.entry_ttl,
                correlation_id=row.correlation_id,
            ).job_id
            tx.enqueue(LapseApproval(approval_id=row.id), run_after=client.settings.entry_ttl)
        began = monotonic()
        outcomes = client.wait([job_id], wait_s, quiet=as_json)
        if outcomes.get(job_id).state != "succeeded":
            outcomes.require_success()
        with suppress(KeyboardInterrupt):  # the order is sent
            wait_for_fills(client, [UUID(outcomes.result(job_id)["order_id"])], wait_s - (monotonic() - began))
        print_entry(client, outcomes, job_id, as_json=as_json)


@command.command("reject")
@click.argument("digits", metavar="ID", type=ApprovalIdType())
@click.argument("reason", nargs=-1)
@json_option
def reject(digits: str, reason: tuple[str, ...], *, as_json: bool) -> None:
    """Reject an entry. REASON is kept with its signal and in the audit."""
    why = " ".join(reason) or None
    actor = current_actor()
    with begin() as connection:
        row = _decide(connection, digits, ApprovalState.REJECTED, actor, why)
        told = f"rejected by {actor.who}{f': {why}' if why else ''}"
        entry_approvals.record_denial(connection, row, told, require_market(connection).clock.now())
    if as_json:
        print_json({"id": row.id, "state": ApprovalState.REJECTED, "reason": why})
    else:
        entry = f"{row.side} {row.quantity} {shorten_contract(row.contract_id)}"
        click.echo(f"Rejected: {entry} of account {row.account_id} is not entered.")


def _decide(
    connection: Connection, digits: str, state: ApprovalState, actor: Actor, reason: str | None
) -> EntryApproval:
    """Record a decision with its audit and return the approval; raise RefusedError unless it waits."""
    row = _find(connection, digits)
    if not entry_approvals.decide(connection, row.id, state, by=actor.who, reason=reason):
        now = entry_approvals.get(connection, row.id) or row
        raise RefusedError(f"approval {row.id} {_describe_end(now)}: only an entry that waits can be decided")
    about = {"approval": str(row.id), "entry": f"{row.side} {row.quantity} {shorten_contract(row.contract_id)}"}
    record_act(
        connection,
        actor,
        f"entry_{state.lower()}",
        row.account_id,
        before=about | {"state": ApprovalState.WAITING},
        after=about | {"state": state},
        reason=reason,
    )
    return row


def _find(connection: Connection, digits: str) -> EntryApproval:
    found = entry_approvals.find_by_id_part(connection, digits)
    if not found:
        raise RefusedError(
            f"no approval id begins or ends with {digits}: `tickwork approvals` lists the entries that wait"
        )
    if len(found) > 1:
        raise RefusedError(
            f"approval id {digits} is ambiguous ({', '.join(str(one.id) for one in found)}): give more characters"
        )
    return found[0]


def _describe_end(row: EntryApproval) -> str:
    if row.state in {ApprovalState.WAITING, ApprovalState.LAPSED}:
        return f"lapsed at {row.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    decision = ApprovalState.REJECTED if row.state is ApprovalState.REJECTED else ApprovalState.APPROVED
    return f"was {decision.lower()} by {row.decided_by} at {row.decided_at:%Y-%m-%d %H:%M:%S} UTC"


def _to_row(row: dict[str, Any]) -> dict[str, Any]:
    prices = [row[name] for name in ("limit_price", "stop_price", "trail_price") if row[name] is not None]
    return row | {
        "account": row["account_name"],
        "price": next(iter(prices), None),
        "stop": _to_level(row, "stop_loss") or "default",
        "target": _to_level(row, "take_profit"),
        "source": row["strategy"] or f"hook {row['hook']}",
        "reason": row["outcome"] or row["decision_reason"] or row["reason"],
    }


def _to_level(row: dict[str, Any], name: str) -> str | None:
    ticks, price = row[f"{name}_ticks"], row[name]
    if ticks is not None:
        return count_of(ticks, "tick")
    return None if price is None else format_price_of(row["contract_id"], price)
