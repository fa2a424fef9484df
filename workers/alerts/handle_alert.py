"""Turns a stored alert into a signal, and the signal into an order or an exit."""

from datetime import datetime, timedelta
from uuid import UUID

from shared.clock import time_until
from shared.db.alerts import alerts
from shared.db.market_data import contracts
from shared.db.orders import orders
from shared.db.orders.orders import OrderRow
from shared.domain.alerts.alert import AlertAction, parse_alert
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import OrderState, OrderType, Origin, Role, Side
from shared.domain.risk.preconditions import EntryTerms
from shared.errors import PostponedError, RefusedError, RiskLimitError
from shared.ledger.jobs.alerts import HandleAlert, HandleFollowerAlert
from shared.ledger.jobs.orders import entries_key
from shared.ledger.ledger import Transaction
from workers.alerts.exits import (
    AccountAlert,
    close_before_entry,
    exit_position,
    exit_to_target,
    find_held,
    read_position,
)
from workers.context import Context
from workers.orders.entry import EntryRequest, require_open_session, submit_entry
from workers.task import task

_RETRY_AFTER = timedelta(seconds=0.1)
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
    """Enter or exit on one account as the alert with this body requests, unless it was refused there before.

    Raise RiskLimitError for an alert that was or is refused, RefusedError without a single active contract or for a
    month that is not active.
    """
    if earlier_denial is not None:
        raise RiskLimitError(earlier_denial)
    alert = parse_alert(body)
    one = AccountAlert(alert_id, account_id, alert)
    symbol, root = alert.symbol.text, alert.root.name
    with ctx.autocommit() as connection:
        contract = contracts.active_of_root(connection, root)
    if alert.action is AlertAction.CLOSE:
        return exit_position(ctx, one, contract)
    if contract is None:
        raise RefusedError(f"the venue offers no single active contract of {root} (symbol {symbol})")
    if not alert.symbol.names(contract.id):
        raise RefusedError(
            f"{symbol} is not the active contract of {root}, which is {contract.id}: send {root} or {root}1!"
        )
    if alert.target is not None:
        return _trade_to_target(ctx, one, contract)
    return _enter(ctx, one, contract, quantity=alert.quantity or 0)


def _trade_to_target(ctx: Context, one: AccountAlert, contract: Contract) -> dict[str, str]:
    """Trade the difference between what is held and the position that the sender wants, closing first.

    What is held on the other side or in another month, and entries that rest on the other side of a flat account, are
    closed before the entry, which waits until the venue has confirmed that. Entries that rest on the wanted side count
    as filled.
    """
    target, held = one.alert.target or 0, read_position(ctx, one.account_id, contract.id)
    others = [contract_id for contract_id in find_held(ctx, one) if contract_id != contract.id]
    with ctx.autocommit() as connection:
        own = orders.open_in(connection, one.account_id, contract.id)
    if any(_is_in_flight(row) for row in own):
        raise PostponedError(f"an order in {contract.id} is not confirmed, so the position is not known", _RETRY_AFTER)
    wanted = Side.BUY if target > 0 else Side.SELL
    resting_here = sum(row.quantity - row.filled_quantity for row in own if _rests(row) and row.side is wanted)
    rests_against = any(_rests(row) and row.side is not wanted for row in own)
    to_close = [*others, *([contract.id] if held * target < 0 or (not held and rests_against) else [])]
    if to_close:
        close_before_entry(ctx, to_close, one.account_id)
        raise PostponedError(f"closing {', '.join(to_close)} before the entry", _RETRY_AFTER)
    planned = abs(held) + resting_here
    if planned >= abs(target):
        return exit_to_target(ctx, one, contract.id, held=held, target=target)
    return _enter(ctx, one, contract, quantity=abs(target) - planned)


def _is_in_flight(row: OrderRow) -> bool:
    """Whether an order may have filled without our knowing."""
    is_resting = row.state is OrderState.WORKING and row.type is not OrderType.MARKET
    return row.role in {Role.ENTRY, Role.EXIT} and not is_resting


def _rests(row: OrderRow) -> bool:
    return row.role is Role.ENTRY and row.state is OrderState.WORKING


def _enter(ctx: Context, one: AccountAlert, contract: Contract, *, quantity: int) -> dict[str, str]:
    alert = one.alert
    require_open_session(ctx, contract)
    request = EntryRequest(
        one.account_id,
        contract,
        EntryTerms(
            side=_SIDES[alert.action],
            quantity=quantity,
            type=alert.type,
            limit_price=alert.price if alert.type is OrderType.LIMIT else None,
            stop_price=alert.price if alert.type is OrderType.STOP else None,
            stop_loss_ticks=alert.stop_loss_ticks,
            take_profit_ticks=alert.take_profit_ticks,
            stop_loss=alert.stop_loss,
            take_profit=alert.take_profit,
        ),
        Origin.ALERT,
        expires_at=_expires_at(ctx),
        alert_id=one.alert_id,
    )
    return submit_entry(ctx, request)


def _expires_at(ctx: Context) -> datetime:
    """Return the expiry of the entry: that of the alert's job, else the entry TTL after the job was enqueued."""
    return ctx.job.expires_at or ctx.job.enqueued_at + ctx.settings.entry_ttl
