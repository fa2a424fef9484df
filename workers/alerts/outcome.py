"""The outcome of an alert on one account: the signal that records it, and the denial that it may get."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.db.alerts import signals
from shared.db.alerts.alerts import StoredAlert
from shared.db.alerts.signals import NewSignal
from shared.db.orders import changes
from shared.db.orders.orders import OrderRow
from shared.domain.alerts.alert import Alert, AlertAction
from shared.domain.alerts.copy_ratio import describe_ratio, scale_alert
from shared.domain.orders.order import ChangeKind, Origin
from shared.ids import new_id
from shared.ledger.jobs.orders import ChangeOrder
from shared.ledger.ledger import Transaction
from workers.context import Context
from workers.orders.exit_permission import lock_and_find_denial


@dataclass(frozen=True, slots=True)
class AccountAlert:
    """A stored alert, for one account of its hook: `alert` is what it asks for, as the account trades it."""

    stored: StoredAlert
    account_id: int
    alert: Alert

    @property
    def copy_note(self) -> str | None:
        """The copy ratio of the account for the record, if it changes a size."""
        return describe_ratio(self.alert, self.stored.ratio)


def read_for_account(stored: StoredAlert, account_id: int) -> AccountAlert:
    """Return a stored alert as an account trades it, by the settings of the hook and the copy ratio of the account."""
    return AccountAlert(stored, account_id, scale_alert(stored.read_traded(), stored.ratio))


def record_nothing_to_do(
    ctx: Context, account_alert: AccountAlert, contract_id: str | None, why: str
) -> dict[str, str]:
    """Record that an alert has nothing to do, and end its job."""
    with ctx.transaction() as tx:
        result, _ = record_outcome(tx, ctx, account_alert, contract_id, reason=f"nothing to do: {why}")
        result["nothing_to_do"] = why
        tx.finish(result)
    return result


def record_outcome(
    tx: Transaction,
    ctx: Context,
    account_alert: AccountAlert,
    contract_id: str | None,
    *,
    reason: str,
    denial: str | None = None,
) -> tuple[dict[str, str], str | None]:
    """Record the signal of an alert that enters nothing; return the beginning of the job's result, and its denial.

    It is denied with `denial`, or for an account whose live orders were never on. What a target position
    closes is a CLOSE.
    """
    denial = lock_and_find_denial(tx, ctx, account_alert.account_id) or denial
    signal_id = new_id()
    signals.add(
        tx.connection,
        NewSignal(
            id=signal_id,
            origin=Origin.ALERT,
            account_id=account_alert.account_id,
            contract_id=contract_id,
            action=AlertAction.CLOSE if account_alert.alert.action.is_entry else account_alert.alert.action,
            quantity=account_alert.alert.quantity,
            verdict="accepted" if denial is None else "denied",
            reason=denial or "; ".join(filter(None, (reason, account_alert.copy_note))),
            correlation_id=ctx.job.correlation_id,
            decided_market_at=ctx.market_now,
            alert_id=account_alert.stored.id,
        ),
    )
    return {"signal_id": str(signal_id)}, denial


def request_cancels(tx: Transaction, ctx: Context, entries: Sequence[OrderRow], reason: str) -> None:
    """Request a cancel of each entry unless one is open; the caller has locked the account."""
    for order in entries:
        is_open = changes.has_open(tx.connection, order.id, ChangeKind.CANCEL)
        change = changes.create(
            tx.connection,
            order.id,
            ChangeKind.CANCEL,
            origin=Origin.ALERT,
            reason=reason,
            correlation_id=ctx.job.correlation_id,
        )
        if not is_open:
            tx.enqueue(ChangeOrder(change_id=change.id))
