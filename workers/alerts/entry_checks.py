"""The checks that keep an entry of an alert from being made: its age, its precedence, and the settings of its hook."""

from datetime import timedelta
from typing import NoReturn

from sqlalchemy import Connection

from shared.db.alerts import precedence, signals
from shared.db.alerts.precedence import ENTRY_KINDS
from shared.db.alerts.signals import NewSignal
from shared.db.orders import flatten_requests
from shared.db.orders.root_state import RootState
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import OrderType, Origin, Side
from shared.domain.orders.position import show_position
from shared.errors import PostponedError, RefusedError
from shared.ids import new_id
from workers.alerts.current_state import require_certain
from workers.alerts.outcome import AccountAlert
from workers.context import Context

_RETRY_AFTER = timedelta(seconds=0.05)


def require_current(ctx: Context, account_alert: AccountAlert, contract: Contract) -> None:
    """Raise RefusedError, after recording it, for an entry that is stale, or late: received after one sent later.

    Raise PostponedError while an exit that was received before is not done, so that the position is about to change.
    """
    stored, account_id = account_alert.stored, account_alert.account_id
    most = timedelta(seconds=stored.settings.max_age_s)
    if stored.sent_at is not None and stored.received_at - stored.sent_at > most:
        age = (stored.received_at - stored.sent_at).total_seconds()
        takes = f"hook {stored.hook_name} takes {stored.settings.max_age_s} s"
        _deny(ctx, account_alert, contract, f"stale: it was sent {age:,.0f} s before it was received, and {takes}")
    with ctx.autocommit() as connection:
        kinds = (*ENTRY_KINDS, "CLOSE", *(["CANCEL"] if account_alert.alert.type is not OrderType.MARKET else []))
        is_late = precedence.is_late(connection, stored, kinds)
        awaits_exit = precedence.awaits_exit(connection, stored, account_id)
        is_being_reduced = precedence.has_open_reduction(connection, account_id, contract.id)
        flatten = flatten_requests.find_open(connection, account_id, contract.id)
        later_close = find_later_close(ctx, account_alert, contract, connection)
    if is_late:
        _deny(ctx, account_alert, contract, "late: an alert for the same symbol that was sent later was received first")
    if later_close is not None:
        _deny(ctx, account_alert, contract, later_close)
    if awaits_exit or is_being_reduced or (flatten is not None and flatten.contract_id is not None):
        raise PostponedError(f"an exit that was received before is closing in {contract.id}", _RETRY_AFTER)


def find_later_close(
    ctx: Context, account_alert: AccountAlert, contract: Contract, connection: Connection
) -> str | None:
    """Return why an entry is not made, if a close of the contract was requested after its alert was received."""
    has_later_close = flatten_requests.has_later_close(
        connection, account_alert.account_id, contract.id, ctx.job.correlation_id, account_alert.stored
    )
    return f"{contract.id} was closed by a later request, so this entry is not made" if has_later_close else None


def check_hook_settings(ctx: Context, account_alert: AccountAlert, contract: Contract, state: RootState) -> str | None:
    """Raise RefusedError, after recording it, for an entry that the settings of its hook forbid.

    Raise PostponedError while they depend on a position that is not certain. Return a warning if chart and account
    disagree and the hook enters nevertheless.
    """
    stored, alert = account_alert.stored, account_alert.alert
    settings, side = stored.settings, Side(alert.action)
    held, chart = state.quantity(contract.id), alert.prev_direction
    is_held_asked = not settings.has_pyramiding or (settings.is_agreement_required and chart is not None)
    if is_held_asked:
        require_certain(state, [contract.id])
    if stored.is_hook_inactive:
        _deny(ctx, account_alert, contract, f"hook {stored.hook_name} is paused or removed, and enters nothing")
    if not settings.has_pyramiding and (planned := state.planned_quantity(contract.id, side)):
        _deny(
            ctx,
            account_alert,
            contract,
            f"{planned * side.sign:+} is held or about to be, and hook {stored.hook_name} adds to no position",
        )
    if settings.cooldown_s:
        with ctx.autocommit() as connection:
            has_entered = signals.has_entered_within(
                connection, stored, account_alert.account_id, contract.id, settings.cooldown_s
            )
        if has_entered:
            _deny(ctx, account_alert, contract, f"hook {stored.hook_name} enters once in {settings.cooldown_s} s")
    if chart is None or chart is state.direction(contract.id) or _is_on_the_way(ctx, account_alert, contract, state):
        return None
    difference = f"chart and account disagree: the chart was {chart.lower()}, and {show_position(held)} is held"
    if settings.is_agreement_required:
        _deny(ctx, account_alert, contract, difference)
    return f"warning: {difference}"


def _is_on_the_way(ctx: Context, account_alert: AccountAlert, contract: Contract, state: RootState) -> bool:
    """Whether a target position explains what is held: its side already, or none, as the other was closed first."""
    target_position = account_alert.alert.target_position
    if target_position is None:
        return False
    if state.quantity(contract.id) * target_position > 0:
        return True
    with ctx.autocommit() as connection:
        return flatten_requests.was_requested_by(
            connection, account_alert.account_id, contract.id, ctx.job.correlation_id, account_alert.stored.received_at
        )


def _deny(ctx: Context, account_alert: AccountAlert, contract: Contract, reason: str) -> NoReturn:
    with ctx.transaction() as tx:
        signals.add(
            tx.connection,
            NewSignal(
                id=new_id(),
                origin=Origin.ALERT,
                account_id=account_alert.account_id,
                contract_id=contract.id,
                action=account_alert.alert.action,
                quantity=account_alert.alert.quantity,
                verdict="denied",
                reason=reason,
                correlation_id=ctx.job.correlation_id,
                decided_market_at=ctx.market_now,
                alert_id=account_alert.stored.id,
            ),
        )
    raise RefusedError(reason)
