"""Asks for orders to be cancelled or modified, and waits until the venue shows what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import click

from cli.client.job_client import JobClient
from cli.client.risk_view import findings_of, picture, print_findings
from cli.console.errors import short
from cli.console.output import print_json, print_outcome, print_table
from shared.db.orders import changes as order_changes
from shared.db.orders.orders import OrderRow
from shared.domain.orders.order import ChangeKind, Origin
from shared.errors import RefusedError
from shared.ids import new_id
from shared.ledger.jobs.orders import ChangeOrder


@dataclass(frozen=True, slots=True)
class OrderChangeRequest:
    """What is to become of an order; None leaves a part as it is."""

    order: OrderRow
    kind: ChangeKind
    quantity: int | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None

    def shown(self) -> dict[str, Any]:
        """Return it as a row to show."""
        order = self.order
        asked = {"quantity": self.quantity, "limit_price": self.limit_price, "stop_price": self.stop_price}
        return {
            "id": order.id,
            "kind": self.kind,
            "contract_id": order.contract_id,
            "order": f"{order.role} {order.side} {order.quantity} {order.type} {order.state}",
            **asked,
        }


def carry_out(
    client: JobClient, changes: Sequence[OrderChangeRequest], done: str, wait_s: float, *, dry_run: bool, as_json: bool
) -> None:
    """Ask for the changes and wait until the venue shows them; end with status 1 when one was not done."""
    if dry_run:
        _preview(client, changes, as_json=as_json)
        return
    asked: dict[UUID, OrderChangeRequest] = {}
    with client.transaction() as tx:
        for change in changes:
            story = new_id()
            row = order_changes.create(
                tx.connection,
                change.order.id,
                change.kind,
                origin=Origin.MANUAL,
                reason="typed by hand",
                correlation_id=story,
                quantity=change.quantity,
                limit_price=change.limit_price,
                stop_price=change.stop_price,
            )
            asked[tx.enqueue(ChangeOrder(change_id=row.id), correlation_id=story).job_id] = change
    ending = client.wait(list(asked), wait_s, quiet=as_json)
    changed: list[UUID] = []
    refused: list[str] = []
    for job_id, change in asked.items():
        job, result = ending.of(job_id), ending.result(job_id)
        if result.get("change") == "DONE":
            changed.append(change.order.id)
        elif job.state == "succeeded":
            refused.append(f"order {change.order.id} was not {done}: too late, {result.get('outcome')}")
        elif job.is_over:
            refused.append(f"order {change.order.id} was not {done}: {short(job.error)}")
        else:
            refused.append(
                f"order {change.order.id} is not {done} yet: the workers go on, `tickwork jobs show {job_id}` "
                "tells what becomes of it"
            )
    print_outcome(done, changed, refused, as_json=as_json)


def _preview(client: JobClient, changes: Sequence[OrderChangeRequest], *, as_json: bool) -> None:
    """Show what would be asked of the venue, and what the rules say of the accounts it is about."""
    rows = [change.shown() for change in changes]
    with client.connect() as connection:
        found = picture(connection, client.settings)
    rules = {
        account_id: findings_of(found, account_id) for account_id in {change.order.account_id for change in changes}
    }
    if as_json:
        print_json({"rehearsal": "nothing was sent", "would_send": rows, "rules": rules})
        return
    click.echo("Nothing was sent: this is a rehearsal.")
    columns = ("id", "kind", "contract_id", "order", "quantity", "limit_price", "stop_price")
    print_table("Would be asked of the venue", rows, columns, empty="There is none.")
    for account_id, said in sorted(rules.items()):
        click.echo(f"What the rules say of account {account_id} now:")
        print_findings(said)


def refuse_ended(changes: Sequence[OrderChangeRequest]) -> None:
    """Refuse a change about an order of which nothing is left."""
    for change in changes:
        if change.order.state.is_final:
            verb = "cancel" if change.kind is ChangeKind.CANCEL else "modify"
            raise RefusedError(f"order {change.order.id} is {change.order.state}: nothing is left to {verb}")
