"""Requests the exits of an alert, and records the alert with them."""

from collections.abc import Sequence
from uuid import UUID

from shared.db.orders import flatten_requests
from shared.db.orders.orders import OrderRow
from shared.domain.orders.order import Origin
from shared.domain.orders.position import show_position
from shared.errors import RiskLimitError
from shared.ledger.jobs.orders import Flatten, ReducePosition
from shared.ledger.ledger import Transaction
from workers.alerts.outcome import (
    AccountAlert,
    record_outcome,
    request_cancels,
)
from workers.context import Context
from workers.orders.exit_permission import lock_and_find_denial, lock_and_require_may_exit

CLOSES_ALL = "a close covers the whole position of the contract"


def close_first(ctx: Context, contract_ids: Sequence[str], account_id: int) -> None:
    """Request a flatten of each contract unless one is open.

    Raise RiskLimitError for an account whose live orders were never on.
    """
    with ctx.transaction() as tx:
        lock_and_require_may_exit(tx, ctx, account_id)
        for contract_id in contract_ids:
            if flatten_requests.find_open(tx.connection, account_id, contract_id) is None:
                tx.enqueue(Flatten(flatten_request_id=_request_flatten(tx, ctx, account_id, contract_id)))


def cancel_first(ctx: Context, entries: Sequence[OrderRow], account_id: int) -> None:
    """Request a cancel of each entry unless one is open; raise RiskLimitError as `close_first` does."""
    with ctx.transaction() as tx:
        lock_and_require_may_exit(tx, ctx, account_id)
        request_cancels(tx, ctx, entries, "an alert wants a position without it")


def close(
    ctx: Context, account_alert: AccountAlert, contract_ids: Sequence[str], reason: str = CLOSES_ALL
) -> dict[str, str]:
    """Record the alert and request a flatten of each contract, unless it has requested one; end its job."""
    with ctx.transaction() as tx:
        result, denial = record_outcome(tx, ctx, account_alert, contract_ids[0], reason=reason)
        result["closes"] = ", ".join(contract_ids)
        if denial is None:
            requests = _request_flattens(tx, ctx, account_alert, contract_ids)
            for request in requests[1:]:
                tx.enqueue(request)
            if requests:
                tx.continue_with(result, requests[0])
            else:
                tx.finish(result)
    if denial is not None:
        raise RiskLimitError(denial)
    return result


def reduce(ctx: Context, account_alert: AccountAlert, *reductions: ReducePosition) -> dict[str, str]:
    """Record the alert and continue its job with the reductions, each of another contract."""
    parts = {
        reduction.contract_id: (
            f"{reduction.quantity} of the position"
            if reduction.target_position is None
            else f"down to {show_position(reduction.target_position)}"
        )
        for reduction in reductions
    }
    closes = ", ".join(f"{contract_id}: {part}" for contract_id, part in parts.items())
    contract_id = reductions[0].contract_id
    reason = f"closes {parts[contract_id] if len(parts) == 1 else closes}"
    with ctx.transaction() as tx:
        result, denial = record_outcome(tx, ctx, account_alert, contract_id, reason=reason)
        result["closes"] = closes
        if denial is None:
            for reduction in reductions[1:]:
                tx.enqueue(reduction)
            tx.continue_with(result, reductions[0])
    if denial is not None:
        raise RiskLimitError(denial)
    return result


def request_closes(ctx: Context, account_alert: AccountAlert, contract_ids: Sequence[str]) -> None:
    """Request a flatten of each contract before the alert is recorded, unless the account may not exit."""
    with ctx.transaction() as tx:
        if lock_and_find_denial(tx, ctx, account_alert.account_id) is None:
            for request in _request_flattens(tx, ctx, account_alert, contract_ids):
                tx.enqueue(request)


def _request_flattens(
    tx: Transaction, ctx: Context, account_alert: AccountAlert, contract_ids: Sequence[str]
) -> list[Flatten]:
    """Request a flatten of each contract for which the alert has requested none yet; return their jobs."""
    account_id = account_alert.account_id
    requested = flatten_requests.list_contracts_requested_by(
        tx.connection, account_id, ctx.job.correlation_id, account_alert.stored.received_at
    )
    return [
        Flatten(flatten_request_id=_request_flatten(tx, ctx, account_id, contract_id))
        for contract_id in contract_ids
        if contract_id not in requested
    ]


def _request_flatten(tx: Transaction, ctx: Context, account_id: int, contract_id: str) -> UUID:
    return flatten_requests.create(
        tx.connection,
        account_id,
        contract_id,
        origin=Origin.ALERT,
        reason="an alert requests a close",
        correlation_id=ctx.job.correlation_id,
    )
