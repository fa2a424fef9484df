"""The exits that an alert requests: all of a position, a part of it, or what lies beyond a target; each is recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.db.accounts import accounts
from shared.db.alerts import signals
from shared.db.alerts.signals import NewSignal
from shared.db.orders import flatten_requests, orders, positions
from shared.domain.alerts.alert import Alert, AlertAction
from shared.domain.market_data.contract import Contract, root_of_contract
from shared.domain.orders.order import Origin
from shared.errors import RefusedError, RiskLimitError
from shared.ids import new_id
from shared.ledger.jobs.orders import Flatten, ReducePosition
from shared.ledger.ledger import Transaction
from workers.context import Context


@dataclass(frozen=True, slots=True)
class AccountAlert:
    """A stored alert, for one account of its hook."""

    alert_id: UUID
    account_id: int
    alert: Alert


_NEVER_LIVE = (
    "live orders of account {0} were never on: run `tickwork accounts live {0} on` to let them reach the real venue"
)


def exit_position(ctx: Context, one: AccountAlert, contract: Contract) -> dict[str, str]:
    """Close the contracts that the symbol means, or a part of the only one; raise RefusedError if it means none."""
    shown = (contract.id, *_find_other_contracts(ctx, contract, one.account_id))
    named = list(filter(one.alert.symbol.names, shown))
    if not named:
        raise RefusedError(f"nothing to close: no position and no order in {one.alert.symbol.text}")
    held = read_position(ctx, one.account_id, named[0])
    if len(named) == 1 and one.alert.quantity is not None and one.alert.quantity < abs(held):
        return _reduce(ctx, one, named[0], one.alert.quantity)
    if len(named) == 1 and one.alert.target is not None:
        return exit_to_target(ctx, one, named[0], held=held, target=one.alert.target)
    return _close(ctx, one, named)


def exit_to_target(ctx: Context, one: AccountAlert, contract_id: str, *, held: int, target: int) -> dict[str, str]:
    """Close what is held beyond the target; an exit never opens or enlarges a position."""
    if held * target < 0:
        return _close(ctx, one, [contract_id])
    if abs(held) > abs(target):
        return _reduce(ctx, one, contract_id, abs(held) - abs(target))
    return _record_nothing_to_do(ctx, one, contract_id, f"{held:+} is held, {target:+} is wanted")


def close_before_entry(ctx: Context, contract_id: str, account_id: int) -> None:
    """Request a flatten unless one is open; raise RiskLimitError for an account whose live orders were never on.

    Until the venue has confirmed flat, an entry in the contract is postponed.
    """
    with ctx.transaction() as tx:
        if denial := _find_denial(tx, ctx, account_id):
            raise RiskLimitError(denial)
        if flatten_requests.open_on(tx.connection, account_id, contract_id) is None:
            tx.enqueue(Flatten(flatten_request_id=_request_flatten(tx, ctx, account_id, contract_id)))


def read_position(ctx: Context, account_id: int, contract_id: str) -> int:
    """Return the quantity that is held by our rows, negative when short."""
    with ctx.autocommit() as connection:
        return positions.quantity_of(connection, account_id, contract_id)


def _find_other_contracts(ctx: Context, active: Contract, account_id: int) -> list[str]:
    """Return the other contracts of the root with a position or orders, as after a change of the active month."""
    with ctx.autocommit() as connection:
        ids = {row.contract_id for row in positions.of_account(connection, account_id)}
        ids |= {row.contract_id for row in orders.open_of(connection, account_id)}
    return sorted(one for one in ids - {active.id} if root_of_contract(one).name == active.root)


def _close(ctx: Context, one: AccountAlert, contract_ids: Sequence[str]) -> dict[str, str]:
    with ctx.transaction() as tx:
        reason = "a close covers the whole position of the contract"
        result, denial = _record_exit(tx, ctx, one, contract_ids[0], reason=reason)
        result["closes"] = ", ".join(contract_ids)
        if denial is None:
            request, *others = [_request_flatten(tx, ctx, one.account_id, contract_id) for contract_id in contract_ids]
            for other in others:
                tx.enqueue(Flatten(flatten_request_id=other))
            tx.continue_with(result, Flatten(flatten_request_id=request))
    if denial is not None:
        raise RiskLimitError(denial)
    return result


def _reduce(ctx: Context, one: AccountAlert, contract_id: str, quantity: int) -> dict[str, str]:
    with ctx.transaction() as tx:
        reason = f"closes {quantity} of the position"
        result, denial = _record_exit(tx, ctx, one, contract_id, reason=reason, quantity=quantity)
        result["closes"] = f"{quantity} of {contract_id}"
        if denial is None:
            reduction = ReducePosition(
                account_id=one.account_id, contract_id=contract_id, quantity=quantity, origin=Origin.ALERT
            )
            tx.continue_with(result, reduction)
    if denial is not None:
        raise RiskLimitError(denial)
    return result


def _record_nothing_to_do(ctx: Context, one: AccountAlert, contract_id: str, why: str) -> dict[str, str]:
    with ctx.transaction() as tx:
        result, _ = _record_exit(tx, ctx, one, contract_id, reason=f"nothing to do: {why}")
        result["nothing_to_do"] = why
        tx.finish(result)
    return result


def _record_exit(
    tx: Transaction, ctx: Context, one: AccountAlert, contract_id: str, *, reason: str, quantity: int | None = None
) -> tuple[dict[str, str], str | None]:
    """Record the signal of an exit; return the beginning of the job's result, and why the exit is denied, or None."""
    denial = _find_denial(tx, ctx, one.account_id)
    signal_id = new_id()
    signals.add(
        tx.connection,
        NewSignal(
            id=signal_id,
            origin=Origin.ALERT,
            account_id=one.account_id,
            contract_id=contract_id,
            action=AlertAction.CLOSE,
            quantity=quantity,
            verdict="accepted" if denial is None else "denied",
            reason=reason if denial is None else denial,
            correlation_id=ctx.job.correlation_id,
            decided_market_at=ctx.market_now,
            alert_id=one.alert_id,
        ),
    )
    return {"signal_id": str(signal_id)}, denial


def _find_denial(tx: Transaction, ctx: Context, account_id: int) -> str | None:
    account = accounts.lock(tx.connection, account_id)
    return None if account is not None and ctx.may_act_for(account) else _NEVER_LIVE.format(account_id)


def _request_flatten(tx: Transaction, ctx: Context, account_id: int, contract_id: str) -> UUID:
    return flatten_requests.create(
        tx.connection,
        account_id,
        contract_id,
        origin=Origin.ALERT,
        reason="an alert requests a close",
        correlation_id=ctx.job.correlation_id,
    )
