"""Turns a stored alert into a signal, and the signal into an order or an exit."""

from datetime import datetime

from shared.db import alerts, contracts, signals
from shared.domain.alert import Action, Alert, parse_alert
from shared.domain.contract import Contract
from shared.domain.order import Origin, Side
from shared.domain.risk import Entry
from shared.errors import RefusedError, RiskLimitError
from shared.ledger.jobs.alerts import HandleAlert
from shared.ledger.jobs.orders import CloseContract, PlaceOrder
from workers.context import Context
from workers.orders.intend import Wish, get_ready, intend
from workers.task import task

_SIDES = {Action.BUY: Side.BUY, Action.SELL: Side.SELL}


@task(HandleAlert)
def handle_alert(job: HandleAlert, ctx: Context) -> dict[str, str]:
    """Act on one alert; signal, intent and the end of this job are one commit, so a second run finds nothing to do."""
    with ctx.ledger.engine.connect() as connection:
        row = connection.execute(alerts.to_handle(job.alert_id)).one_or_none()
        refused_before = signals.refusal_of_alert(connection, job.alert_id)
    if refused_before is not None:
        raise RiskLimitError(refused_before)
    if row is None:
        raise RefusedError(f"alert {job.alert_id} does not exist")
    alert = parse_alert(row.body)
    with ctx.ledger.engine.connect() as connection:
        contract = contracts.active_of_root(connection, alert.root.name)
    if contract is None:
        raise RefusedError(f"the venue offers no single active contract of {alert.root.name} (symbol {alert.symbol})")
    if alert.action is Action.CLOSE:
        return _close(job, ctx, contract, row.account_id)
    return _enter(job, ctx, contract, row.account_id, alert)


def _enter(job: HandleAlert, ctx: Context, contract: Contract, account_id: int, alert: Alert) -> dict[str, str]:
    get_ready(ctx, contract)
    wish = Wish(
        account_id,
        contract,
        Entry(
            _SIDES[alert.action],
            alert.quantity or 0,
            stop_loss_ticks=alert.stop_loss_ticks,
            take_profit_ticks=alert.take_profit_ticks,
            stop_loss=alert.stop_loss,
            take_profit=alert.take_profit,
        ),
        Origin.ALERT,
        expires_at=_expires_at(ctx),
        alert_id=job.alert_id,
    )
    with ctx.transaction() as tx:
        intent = intend(tx, ctx, wish)
        result = {"signal_id": str(intent.signal_id), "order_id": str(intent.order_id)}
        if intent.refusal is None:
            tx.hand_over(result, PlaceOrder(order_id=intent.order_id))
    if intent.refusal is not None:
        raise intent.refusal
    return result


def _expires_at(ctx: Context) -> datetime:
    """An entry is worth sending for as long as the alert is, and never without end."""
    return ctx.job.expires_at or ctx.job.enqueued_at + ctx.settings.entry_ttl


def _close(job: HandleAlert, ctx: Context, contract: Contract, account_id: int) -> dict[str, str]:
    with ctx.transaction() as tx:
        signal_id = signals.store(
            tx.connection,
            origin=Origin.ALERT,
            account_id=account_id,
            contract_id=contract.id,
            action=Action.CLOSE,
            quantity=None,
            verdict="accepted",
            reason="a close means everything of the contract",
            correlation_id=ctx.job.correlation_id,
            decided_market_at=ctx.market_now,
            alert_id=job.alert_id,
        )
        result = {"signal_id": str(signal_id), "closes": contract.id}
        tx.hand_over(result, CloseContract(account_id=account_id, contract_id=contract.id))
    return result
