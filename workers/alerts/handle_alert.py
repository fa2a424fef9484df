"""Turns a stored alert into a signal, and the signal into an order or an exit."""

from datetime import datetime
from uuid import UUID

from shared.clock import time_until
from shared.db.alerts import alerts
from shared.db.market_data import contracts
from shared.domain.alerts.alert import AlertAction, parse_alert
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import OrderType, Origin, Side
from shared.domain.risk.preconditions import EntryTerms
from shared.errors import RefusedError, RiskLimitError
from shared.ledger.jobs.alerts import HandleAlert, HandleFollowerAlert
from shared.ledger.jobs.orders import entries_key
from shared.ledger.ledger import Transaction
from workers.alerts.exits import AccountAlert, close_before_entry, exit_position, exit_to_target, read_position
from workers.context import Context
from workers.orders.entry import EntryRequest, require_open_session, submit_entry
from workers.task import task

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
    if contract is None:
        raise RefusedError(f"the venue offers no single active contract of {root} (symbol {symbol})")
    if alert.action is AlertAction.CLOSE:
        return exit_position(ctx, one, contract)
    if not alert.symbol.names(contract.id):
        raise RefusedError(
            f"{symbol} is not the active contract of {root}, which is {contract.id}: send {root} or {root}1!"
        )
    if alert.target is not None:
        return _trade_to_target(ctx, one, contract)
    return _enter(ctx, one, contract, quantity=alert.quantity or 0)


def _trade_to_target(ctx: Context, one: AccountAlert, contract: Contract) -> dict[str, str]:
    """Trade the difference between what is held and the position that the sender wants, closing first.

    The part that closes is an exit with an exit's rights. An entry after it waits until the venue confirms flat.
    """
    target, held = one.alert.target or 0, read_position(ctx, one.account_id, contract.id)
    if held == target or (held * target > 0 and abs(held) > abs(target)):
        return exit_to_target(ctx, one, contract.id, held=held, target=target)
    if held * target < 0:
        close_before_entry(ctx, contract.id, one.account_id)
        held = 0
    return _enter(ctx, one, contract, quantity=abs(target - held))


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
