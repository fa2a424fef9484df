"""The checks that keep an entry of an alert from being made: its age, its precedence, and the settings of its hook."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from shared.db.alerts import copy_share, entry_obstacles, hooks, precedence, reversals, signals
from shared.db.alerts.alerts import StoredAlert
from shared.db.alerts.entry_denials import (
    LATE,
    build_copy,
    describe_disagreement,
    describe_idle_hook,
    describe_stale,
    find_cooldown,
)
from shared.db.alerts.entry_obstacles import EntryObstacles, LaterRequests
from shared.db.alerts.signals import NewSignal
from shared.db.orders import flatten_requests, root_state
from shared.db.orders import reversals as order_reversals
from shared.db.orders.reversals import RecordedReversal
from shared.db.orders.root_state import RootState
from shared.domain.alerts.copy_ratio import SAME, UNKNOWN, CopyOrder, OwnPart, describe_empty_copy, may_round
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import OrderType, Origin, Side
from shared.errors import PostponedError, RefusedError
from shared.ids import new_id
from workers.alerts.outcome import AccountAlert
from workers.context import Context
from workers.orders.current_state import has_waited, require_certain

_RETRY_AFTER = timedelta(seconds=0.05)
_OPENING_KNOWN_WITHIN = timedelta(seconds=2)


def require_current(ctx: Context, account_alert: AccountAlert, contract: Contract) -> RootState:
    """Return what the account holds and has at work in the root, for an entry with nothing in its way.

    Raise RefusedError, after recording it, for one that is stale, late, closed or reversed by a later request.

    It is late if it was received after one that was sent later.
    Raise PostponedError while an exit that was received before is not done, so that the position is about to change,
    and if the other job of the alert has changed it meanwhile.
    """
    stored, account_id = account_alert.stored, account_alert.account_id
    deny_if(ctx, account_alert, contract, describe_stale(stored))
    with ctx.autocommit() as connection:
        found, state = entry_obstacles.read(
            connection,
            stored,
            account_alert.alert,
            account_id=account_id,
            contract_id=contract.id,
            correlation_id=ctx.job.correlation_id,
        )
    deny_if(ctx, account_alert, contract, LATE if found.is_late else None)
    deny_if(ctx, account_alert, contract, _describe_later(found, contract))
    if found.waits:
        raise PostponedError(f"an exit that was received before is closing in {contract.id}", _RETRY_AFTER)
    _require_own_close_known(stored, found, contract)
    return state


def find_later_close(
    ctx: Context, account_alert: AccountAlert, contract: Contract, connection: Connection
) -> str | None:
    """Return why an entry is not made, if its contract was closed or reversed by a request after its alert.

    Or, of one that would rest, if an alert that cancels such entries was received after it.

    Raise PostponedError if the other job of the alert closes something by now; the caller has locked the account.
    """
    stored, account_id = account_alert.stored, account_alert.account_id
    found = entry_obstacles.read_later(
        connection,
        stored,
        account_alert.alert,
        account_id=account_id,
        contract_id=contract.id,
        correlation_id=ctx.job.correlation_id,
    )
    if (later := _describe_later(found, contract)) is not None:
        return later
    if account_alert.alert.type is not OrderType.MARKET and precedence.has_later_cancel(
        connection, account_id, contract, stored
    ):
        return f"an alert that cancels the entries in {contract.id} was received after this one"
    _require_own_close_known(stored, found, contract)
    return None


def _require_own_close_known(stored: StoredAlert, found: EntryObstacles | LaterRequests, contract: Contract) -> None:
    """Raise PostponedError if the other job of the alert has requested a close since the alert was read."""
    if found.has_reversal and stored.reversal is None:
        raise PostponedError(f"what is held of {contract.id} is being closed for this alert", _RETRY_AFTER)


def _describe_later(found: EntryObstacles | LaterRequests, contract: Contract) -> str | None:
    if found.has_later_close:
        return flatten_requests.describe_later_close(contract.id)
    return order_reversals.describe_later_reversal(contract.id) if found.was_reversed_since else None


def await_copies(ctx: Context, account_alert: AccountAlert) -> None:
    """Raise PostponedError, for at most 15 s, while another account of the hook holds what the alert reverses there.

    Its own job closes that. The firm closes accounts that hold opposite sides, so a copy would be denied meanwhile.
    """
    stored, alert = account_alert.stored, account_alert.alert
    if has_waited(ctx):
        return
    with ctx.autocommit() as connection:
        followers = hooks.list_followers(connection).get(stored.hook_id, {})
        for account_id, ratio in {stored.account_id: SAME, **followers}.items():
            if account_id == account_alert.account_id:
                continue
            state = root_state.read(connection, account_id, alert.root)
            recorded = order_reversals.find(connection, stored.id, account_id)
            opposite = reversals.list_closed_before_entry(alert, state, ratio, recorded)
            if not opposite:
                opposite = _list_closing(connection, account_alert, account_id, state)
            if opposite:
                raise PostponedError(f"account {account_id} still closes {', '.join(opposite)}", _RETRY_AFTER)


def _list_closing(connection: Connection, account_alert: AccountAlert, account_id: int, state: RootState) -> list[str]:
    """Return what another account holds against an entry and closes for an earlier alert, or is being closed."""
    against = reversals.list_against(account_alert.alert, state)
    if against and copy_share.has_earlier(connection, account_alert.stored, account_id):
        return against
    return [
        contract_id
        for contract_id in against
        if flatten_requests.find_open(connection, account_id, contract_id) is not None
        or precedence.has_open_reduction(connection, account_id, contract_id)
    ]


def require_copy(ctx: Context, account_alert: AccountAlert, contract: Contract, state: RootState) -> int | None:
    """Return the contracts of an entry that is no position, by the copy ratio of its account; None for a size by risk.

    Raise RefusedError, after recording it, if that is less than one, and PostponedError while a size that is rounded
    depends on a position that is not certain.
    """
    stored, alert = account_alert.stored, account_alert.alert
    if alert.quantity is not None and may_round(alert.quantity, stored.ratio):
        require_certain(state, [contract.id])
    order = await_copy(ctx, account_alert, contract.id, state)
    closes_arriving = order.is_market and state.is_arriving(contract.id, Side(alert.action).opposite)
    is_empty = order.size == 0 and not closes_arriving  # what arrives against it is closed
    if is_empty:
        require_certain(state, [contract.id])
    deny_if(ctx, account_alert, contract, describe_empty_copy(order) if is_empty else None)
    return order.size


def await_copy(ctx: Context, account_alert: AccountAlert, contract_id: str, state: RootState) -> CopyOrder:
    """Return the order of an entry that is no position, for this account.

    Raise PostponedError while it depends on the hook's own account and it is not known what the order opens there: at
    most 15 s, and two where it may close something. Then it opens nothing, as this account must not hold more than its
    share. What a market order of a size closes does not wait: `limit_opening` waits with what it opens.
    """
    stored, alert = account_alert.stored, account_alert.alert
    order = build_copy(stored, alert, contract_id, state, None)
    if not copy_share.is_limited(stored, alert, account_alert.account_id):
        return order
    part = _find_part(ctx, account_alert, contract_id)
    limited = replace(order, part=part or UNKNOWN)
    is_known = part is not None and not (part.has_undecided and limited.is_cut)
    closes = order.held > 0 and order.exact is not None and (order.is_market or order.exact <= order.held)
    if not is_known and closes:
        return order
    if not is_known and not (has_waited(ctx, _OPENING_KNOWN_WITHIN) if order.held else has_waited(ctx)):
        raise PostponedError(f"account {stored.account_id} has not decided what it opens", _RETRY_AFTER)
    return limited


def limit_opening(
    ctx: Context, account_alert: AccountAlert, contract: Contract, state: RootState, reversal: RecordedReversal
) -> RecordedReversal:
    """Return the reversal, now that it has closed, with no more to open than the share of this account.

    Raise PostponedError while that is not known, at most 15 s; then nothing is opened.
    """
    stored, alert = account_alert.stored, account_alert.alert
    if not reversal.opening or not copy_share.is_limited(stored, alert, account_alert.account_id):
        return reversal
    part = _find_part(ctx, account_alert, contract.id)
    most = build_copy(stored, alert, contract.id, state, part or UNKNOWN).most_opening
    opening = reversal.opening if most is None else min(reversal.opening, most)
    is_known = part is not None and not (part.has_undecided and opening < reversal.opening)
    if not is_known and not has_waited(ctx):
        raise PostponedError(f"account {stored.account_id} has not decided what it opens", _RETRY_AFTER)
    return replace(reversal, opening=opening)


def _find_part(ctx: Context, account_alert: AccountAlert, contract_id: str) -> OwnPart | None:
    stored, account_id = account_alert.stored, account_alert.account_id
    with ctx.autocommit() as connection:
        return copy_share.find_part(connection, stored, account_alert.alert, account_id, contract_id=contract_id)


def check_hook_settings(ctx: Context, account_alert: AccountAlert, contract: Contract, state: RootState) -> str | None:
    """Raise RefusedError, after recording it, for an entry that the settings of its hook forbid.

    Raise PostponedError while they depend on a position that is not certain. Return a warning if chart and account
    disagree and the hook enters nevertheless.
    """
    stored, alert = account_alert.stored, account_alert.alert
    settings = stored.settings
    if not settings.has_pyramiding or (settings.is_agreement_required and alert.prev_direction is not None):
        require_certain(state, [contract.id])
    deny_if(ctx, account_alert, contract, describe_idle_hook(stored, Side(alert.action), contract.id, state))
    if settings.cooldown_s:
        with ctx.autocommit() as connection:
            cooldown = find_cooldown(connection, stored, account_alert.account_id, contract.id)
        deny_if(ctx, account_alert, contract, cooldown)
    difference = describe_disagreement(alert, contract.id, state)
    if difference is None or _has_closed_first(ctx, account_alert, contract):
        return None
    deny_if(ctx, account_alert, contract, difference if settings.is_agreement_required else None)
    return f"warning: {difference}"


def require_agreement(ctx: Context, account_alert: AccountAlert, contract: Contract, state: RootState) -> None:
    """Raise RefusedError, after recording it, if chart and account disagree and the hook enters only if they agree.

    Raise PostponedError while that depends on a position that is not certain.
    """
    alert = account_alert.alert
    if account_alert.stored.settings.is_agreement_required and alert.prev_direction is not None:
        require_certain(state, [contract.id])
        deny_if(ctx, account_alert, contract, describe_disagreement(alert, contract.id, state))


def _has_closed_first(ctx: Context, account_alert: AccountAlert, contract: Contract) -> bool:
    """Whether the alert explains why nothing is held: it has closed the other side itself."""
    if account_alert.alert.target_position is None:
        return account_alert.stored.reversal is not None
    with ctx.autocommit() as connection:
        closed = flatten_requests.list_contracts_requested_by(
            connection, account_alert.account_id, ctx.job.correlation_id, account_alert.stored.received_at
        )
    return contract.id in closed


def deny_if(ctx: Context, account_alert: AccountAlert, contract: Contract, reason: str | None) -> None:
    """Record a denial and raise RefusedError, if there is a reason."""
    if reason is None:
        return
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
