"""Requests to cancel or modify orders, and the wait for the venue's confirmation."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import click
from sqlalchemy import Connection

from cli.client.change_check import current_actor
from cli.client.job_client import JobClient
from cli.client.risk_view import list_findings, print_findings
from cli.console.output import RefusedChange, print_json, print_outcome
from cli.console.table import Table
from shared.db.accounts.audit import record_act
from shared.db.orders import changes as order_changes
from shared.db.orders.orders import OrderRow
from shared.domain.error_text import shorten_error
from shared.domain.orders.order import ChangeKind, Origin
from shared.errors import RefusedError
from shared.ids import new_id
from shared.ledger.jobs.orders import ChangeOrder
from shared.overview.risk_view import read_risk_view

REQUESTS = Table("Requests to send", ("id", "kind", "contract_id", "order", "quantity", "limit_price", "stop_price"))

_ORDER = ("role", "side", "quantity_before", "type", "state")


@dataclass(frozen=True, slots=True)
class OrderChangeRequest:
    """A request to cancel or modify an order; None leaves a field unchanged."""

    order: OrderRow
    kind: ChangeKind
    quantity: int | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None

    def changed_fields(self) -> dict[str, int | Decimal]:
        """Return the new value of each field that changes."""
        return {name: value for name, value in self._fields().items() if value is not None}

    def to_row(self) -> dict[str, Any]:
        """Return the request as a row: its order, and its new values, None where it leaves a field unchanged."""
        order = self.order
        return {
            "id": order.id,
            "kind": self.kind,
            "contract_id": order.contract_id,
            "role": order.role,
            "side": order.side,
            "type": order.type,
            "state": order.state,
            "quantity_before": order.quantity,
            **self._fields(),
        }

    def _fields(self) -> dict[str, int | Decimal | None]:
        return {"quantity": self.quantity, "limit_price": self.limit_price, "stop_price": self.stop_price}


def apply_changes(
    client: JobClient, changes: Sequence[OrderChangeRequest], done: str, wait_s: float, *, dry_run: bool, as_json: bool
) -> None:
    """Request the changes and wait for the venue to confirm them; exit with status 1 if one was not made.

    `done` is the past participle in the output, such as `cancelled`.
    """
    if dry_run:
        _print_preview(client, changes, as_json=as_json)
        return
    change_by_job: dict[UUID, OrderChangeRequest] = {}
    with client.transaction() as tx:
        for change in changes:
            correlation_id = new_id()
            _record_request(tx.connection, change)
            row = order_changes.create(
                tx.connection,
                change.order.id,
                change.kind,
                origin=Origin.MANUAL,
                reason="typed by hand",
                correlation_id=correlation_id,
                quantity=change.quantity,
                limit_price=change.limit_price,
                stop_price=change.stop_price,
            )
            job_id = tx.enqueue(ChangeOrder(change_id=row.id), correlation_id=correlation_id).job_id
            change_by_job[job_id] = change
    outcomes = client.wait(list(change_by_job), wait_s, quiet=as_json)
    changed: list[UUID] = []
    refused: list[RefusedChange] = []
    for job_id, change in change_by_job.items():
        job, result = outcomes.get(job_id), outcomes.result(job_id)
        if result.get("change") == "DONE":
            changed.append(change.order.id)
            continue
        if job.state == "succeeded":
            why = f"was not {done}: too late, {result.get('outcome')}"
        elif job.is_over:
            why = f"was not {done}: {shorten_error(job.error)}"
        else:
            why = f"is not {done} yet: the workers continue, `tickwork jobs show {job_id}` shows the outcome"
        refused.append(RefusedChange(change.order.id, f"order {change.order.id} {why}"))
    print_outcome(done, changed, refused, as_json=as_json)


def _record_request(connection: Connection, change: OrderChangeRequest) -> None:
    order, fields = change.order, change.changed_fields()
    record_act(
        connection,
        current_actor(),
        f"{change.kind.value.lower()}_order",
        order.account_id,
        before={name: getattr(order, name) for name in fields},
        after={"order_id": order.id, **fields},
        reason=None,
    )


def _print_preview(client: JobClient, changes: Sequence[OrderChangeRequest], *, as_json: bool) -> None:
    """Print the requests to the venue and the findings of their accounts; send nothing."""
    rows = [change.to_row() for change in changes]
    with client.connect() as connection:
        found = read_risk_view(connection, client.settings)
    rules = {
        account_id: list_findings(found, account_id) for account_id in {change.order.account_id for change in changes}
    }
    if as_json:
        print_json({"is_dry_run": True, "would_send": rows, "findings": rules})
        return
    click.echo("Dry run: nothing was sent.")
    shown = [row | {"order": " ".join(str(row[name]) for name in _ORDER)} for row in rows]
    REQUESTS.print(shown, empty="No matching orders.")
    for account_id, findings in sorted(rules.items()):
        click.echo(f"Findings of account {account_id}:")
        print_findings(findings)


def require_open_orders(changes: Sequence[OrderChangeRequest]) -> None:
    """Raise RefusedError if an order of the changes has ended."""
    for change in changes:
        if change.order.state.is_final:
            verb = "cancelled" if change.kind is ChangeKind.CANCEL else "modified"
            raise RefusedError(f"order {change.order.id} is {change.order.state}: it can no longer be {verb}")
