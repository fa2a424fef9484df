"""Turns a stored alert into a signal, and the signal into an order or an exit."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from shared.clock import time_until
from shared.db.accounts import accounts
from shared.db.alerts import alerts, signals
from shared.db.alerts.signals import NewSignal
from shared.db.market_data import contracts
from shared.db.orders import flatten_requests, orders, positions
from shared.domain.alerts.alert import Alert, AlertAction, parse_alert
from shared.domain.market_data.contract import Contract, root_of_contract
from shared.domain.orders.order import Origin, Side
from shared.domain.risk.preconditions import EntryTerms
from shared.errors import RefusedError, RiskLimitError
from shared.ids import new_id
from shared.ledger.jobs.alerts import HandleAlert, HandleFollowerAlert
from shared.ledger.jobs.orders import Flatten, entries_key
from shared.ledger.ledger import Transaction
from workers.context import Context
from workers.orders.entry import EntryRequest, require_open_session, submit_entry
from workers.task import task

_NEVER_LIVE = (
    "live orders of account {0} were never on: run `tickwork accounts live {0} on` to let them reach the real venue"
)
_SIDES = {AlertAction.BUY: Side.BUY, AlertAction.SELL: Side.SELL}


@task(HandleAlert)
def handle_alert(job: HandleAlert, ctx: Context) -> dict[str, str]:
    """Act on one alert; signal, order and the end of this job are one commit, so a second run does nothing.

    Each follower account of the hook first gets a job of its own, so that a failing account delays no other.
    """
    with ctx.autocommit() as connection:
        row = alerts.read_alert(connection, job.alert_id)
    if row is None:
        raise RefusedError(f"alert {job.alert_id} does not exist")
    if row.others:
        with ctx.transaction() as tx:
            for account_id in row.others:
                _enqueue_follower(tx, ctx, job.alert_id, account_id)
    return trade_alert(ctx, job.alert_id, row.account_id, row.body, row.denial)


def _enqueue_follower(tx: Transaction, ctx: Context, alert_id: UUID, account_id: int) -> None:
    is_entry = ctx.job.expires_at is not None
    tx.enqueue(
        HandleFollowerAlert(alert_id=alert_id, account_id=account_id),
        key=f"follower:{alert_id}:{account_id}",
        sequence_key=entries_key(account_id) if is_entry else None,
        queue=ctx.job.queue,
        expires_after=time_until(ctx.job.expires_at) if ctx.job.expires_at is not None else None,
    )


def trade_alert(
    ctx: Context, alert_id: UUID, account_id: int, body: bytes, earlier_denial: str | None
) -> dict[str, str]:
    """Enter or close on one account as the alert with this body requests, unless it was refused there before.

    Raise RiskLimitError for an alert that was or is refused, RefusedError without a single active contract.
    """
    if earlier_denial is not None:
        raise RiskLimitError(earlier_denial)
    alert = parse_alert(body)
    with ctx.autocommit() as connection:
        contract = contracts.active_of_root(connection, alert.root.name)
    if contract is None:
        raise RefusedError(f"the venue offers no single active contract of {alert.root.name} (symbol {alert.symbol})")
    if alert.action is AlertAction.CLOSE:
        return _close(ctx, contract, alert_id, account_id, others_held=_find_other_contracts(ctx, contract, account_id))
    return _enter(ctx, contract, alert_id, account_id, alert)


def _enter(ctx: Context, contract: Contract, alert_id: UUID, account_id: int, alert: Alert) -> dict[str, str]:
    require_open_session(ctx, contract)
    request = EntryRequest(
        account_id,
        contract,
        EntryTerms(
            side=_SIDES[alert.action],
            quantity=alert.quantity or 0,
            stop_loss_ticks=alert.stop_loss_ticks,
            take_profit_ticks=alert.take_profit_ticks,
            stop_loss=alert.stop_loss,
            take_profit=alert.take_profit,
        ),
        Origin.ALERT,
        expires_at=_expires_at(ctx),
        alert_id=alert_id,
    )
    return submit_entry(ctx, request)


def _expires_at(ctx: Context) -> datetime:
    """Return the expiry of the entry: that of the alert's job, else the entry TTL after the job was enqueued."""
    return ctx.job.expires_at or ctx.job.enqueued_at + ctx.settings.entry_ttl


def _find_other_contracts(ctx: Context, active: Contract, account_id: int) -> list[str]:
    """Return the other contracts of the root with a position or orders, as after a change of the active month."""
    with ctx.autocommit() as connection:
        ids = {row.contract_id for row in positions.of_account(connection, account_id)}
        ids |= {row.contract_id for row in orders.open_of(connection, account_id)}
    return sorted(one for one in ids - {active.id} if root_of_contract(one).name == active.root)


def _close(
    ctx: Context, contract: Contract, alert_id: UUID, account_id: int, others_held: Sequence[str]
) -> dict[str, str]:
    with ctx.transaction() as tx:
        account = accounts.lock(tx.connection, account_id)
        denial = None if account is not None and ctx.may_act_for(account) else _NEVER_LIVE.format(account_id)
        signal_id = new_id()
        signals.add(
            tx.connection,
            NewSignal(
                id=signal_id,
                origin=Origin.ALERT,
                account_id=account_id,
                contract_id=contract.id,
                action=AlertAction.CLOSE,
                quantity=None,
                verdict="accepted" if denial is None else "denied",
                reason="a close covers the whole position of the contract" if denial is None else denial,
                correlation_id=ctx.job.correlation_id,
                decided_market_at=ctx.market_now,
                alert_id=alert_id,
            ),
        )
        result = {"signal_id": str(signal_id), "closes": ", ".join((contract.id, *others_held))}
        if denial is None:
            request, *others = [
                _request_flatten(tx, ctx, account_id, contract_id) for contract_id in (contract.id, *others_held)
            ]
            for other in others:
                tx.enqueue(Flatten(flatten_request_id=other))
            tx.continue_with(result, Flatten(flatten_request_id=request))
    if denial is not None:
        raise RiskLimitError(denial)
    return result


def _request_flatten(tx: Transaction, ctx: Context, account_id: int, contract_id: str) -> UUID:
    return flatten_requests.create(
        tx.connection,
        account_id,
        contract_id,
        origin=Origin.ALERT,
        reason="an alert requests a close",
        correlation_id=ctx.job.correlation_id,
    )
