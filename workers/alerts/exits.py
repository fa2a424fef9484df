"""The exits that an alert requests: all of a position, a part of it, or what exceeds a wanted one; each is recorded."""

from collections.abc import Sequence
from functools import partial
from typing import NoReturn

from shared.clock import machine_now
from shared.db.alerts import precedence
from shared.db.orders import changes, flatten_requests
from shared.db.orders.orders import OrderRow
from shared.db.orders.root_state import RootState
from shared.domain.alerts.alert import Alert
from shared.domain.counting import count_of
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import ChangeKind, Direction, Origin, Side
from shared.domain.orders.poll_pace import poll_pause
from shared.domain.orders.position import show_position
from shared.errors import PostponedError, RefusedError, RiskLimitError
from shared.ledger.jobs.orders import ReducePosition
from workers.alerts.exit_requests import CLOSES_ALL, cancel_first, close, close_first, reduce, request_closes
from workers.alerts.outcome import (
    AccountAlert,
    record_nothing_to_do,
    record_outcome,
    request_cancels,
)
from workers.context import Context
from workers.orders.current_state import (
    RETRY_AFTER,
    has_waited,
    read_at_venue,
    read_root_state,
    require_certain,
)
from workers.orders.exit_permission import lock_and_find_denial

_CLOSES_NOTHING = "nothing to do, unless the venue knows more: nothing is held, and no order rests"


def exit_position(ctx: Context, account_alert: AccountAlert, contract: Contract | None) -> dict[str, str]:
    """Close the contracts that the symbol means, or a part of the one that is held.

    `contract` is the active one of the root, None if there is none: then what is held can be closed all the same. A
    close of all does not wait: it drops an entry received before. Raise RefusedError if it finds nothing. A part or a
    side waits, by PostponedError, while the position is not certain, and for an entry received before: at most 15 s if
    something is held. It is measured by the venue's positions, as ours may lag. If nothing is held, resting entries are
    cancelled before it does nothing.
    """
    alert, account_id = account_alert.alert, account_alert.account_id
    with ctx.autocommit() as connection:  # before the position is read: an entry is in one of the two
        is_awaited = not alert.closes_all and precedence.awaits_entry(connection, account_alert.stored, account_id)
    state = read_root_state(ctx, account_id, alert.root)
    active = None if contract is None else contract.id
    named = _list_named(state, alert, active)
    if alert.closes_all:
        return _close_all(ctx, account_alert, state, active)
    is_held = any(map(partial(_is_meant, state, alert), named))
    if is_awaited and not (is_held and has_waited(ctx)):
        raise PostponedError(f"an entry in {alert.symbol.text} that was received before is not made yet", RETRY_AFTER)
    if not (is_held and has_waited(ctx)):
        require_certain(state, named)
    if not is_held:
        _cancel_unwanted(ctx, account_alert, state, named)
    state = _measure(ctx, account_alert, state, is_held=is_held)
    named = _list_named(state, alert, active)
    held = list(filter(partial(_is_meant, state, alert), named))
    if not held:
        _cancel_unwanted(ctx, account_alert, state, named)
        return _record_nothing(ctx, account_alert, named)
    if alert.target_position is None and alert.quantity is None:
        return close(ctx, account_alert, held)
    return _exit_part(ctx, account_alert, state, held, active if active in held else held[0])


def _measure(ctx: Context, account_alert: AccountAlert, state: RootState, *, is_held: bool) -> RootState:
    """Return the state with the venue's positions; a close of a side that our rows show does not wait for them."""
    alert = account_alert.alert
    try:
        return read_at_venue(ctx, account_alert.account_id, state, alert.root)
    except PostponedError:
        if not is_held or (alert.quantity, alert.target_position) != (None, None):
            raise
        return state


def _close_all(ctx: Context, account_alert: AccountAlert, state: RootState, active: str | None) -> dict[str, str]:
    """Close every contract that the symbol means; if our rows show no position in one, the venue is asked for others.

    What is known without the venue is requested before it is asked.
    """
    alert = account_alert.alert
    named = _list_named(state, alert, active)
    if not any(map(state.quantity, named)):
        request_closes(ctx, account_alert, named)
        state = read_at_venue(ctx, account_alert.account_id, state, alert.root)
        named = list(dict.fromkeys([*_list_named(state, alert, active), *named]))
    if not named:
        raise RefusedError(f"nothing to close: no position and no order in {alert.symbol.text}")
    is_known = bool(state.orders) or any(map(state.quantity, named))
    return close(ctx, account_alert, named, CLOSES_ALL if is_known else _CLOSES_NOTHING)


def _list_named(state: RootState, alert: Alert, active: str | None) -> list[str]:
    """Return the contracts that the symbol means, those held first."""
    shown = {*state.contract_ids, *([active] if active is not None else [])}
    return sorted(filter(alert.symbol.names, shown), key=lambda each: (not state.quantity(each), each))


def _is_meant(state: RootState, alert: Alert, contract_id: str) -> bool:
    """Whether a contract is held, and on the side that the alert closes."""
    return bool(state.quantity(contract_id)) and alert.only_direction in {None, state.direction(contract_id)}


def skip_exit(ctx: Context, account_alert: AccountAlert, contract: Contract | None) -> dict[str, str]:
    """Record an exit that is late: a target position that was sent later was received first."""
    why = "an alert with a position that was sent later was received first"
    return record_nothing_to_do(ctx, account_alert, None if contract is None else contract.id, why)


def _cancel_unwanted(ctx: Context, account_alert: AccountAlert, state: RootState, named: list[str]) -> None:
    """Cancel the resting entries that an exit means, as they would fill later, and raise PostponedError.

    One side means the entries on that side, a target position those that it does not want, a part all of them. Nothing
    happens once none of them rests: whether one has filled before its cancel is then known.
    """
    resting = [row for contract_id in named for row in _unwanted_entries(state, account_alert.alert, contract_id)]
    with ctx.autocommit() as connection:
        stored = account_alert.stored
        later = precedence.list_later_orders(connection, stored.id, stored.received_at, [row.id for row in resting])
    resting = [row for row in resting if row.id not in later]
    if resting:
        _cancel_and_wait(ctx, account_alert, resting)


def _cancel_and_wait(ctx: Context, account_alert: AccountAlert, entries: Sequence[OrderRow]) -> NoReturn:
    with ctx.transaction() as tx:
        denial = lock_and_find_denial(tx, ctx, account_alert.account_id)
        if denial is None:
            request_cancels(tx, ctx, entries, "an alert closes what they would open")
        else:
            record_outcome(tx, ctx, account_alert, entries[0].contract_id, reason=denial)
    if denial is not None:
        raise RiskLimitError(denial)
    counted = count_of(len(entries), "resting entry", "resting entries")
    raise PostponedError(f"cancelling {counted} in {account_alert.alert.symbol.text}", RETRY_AFTER)


def _record_nothing(ctx: Context, account_alert: AccountAlert, named: list[str]) -> dict[str, str]:
    """Record that there was nothing to close, but for the entries that were cancelled."""
    alert = account_alert.alert
    side = "" if alert.only_direction is None else f"{alert.only_direction} "
    why = f"no {side}position in {alert.symbol.text}, and an exit opens nothing"
    with ctx.autocommit() as connection:
        caused = changes.list_caused_by(
            connection, account_alert.account_id, ctx.job.correlation_id, ctx.job.enqueued_at
        )
    cancelled = {change.order_id for change in caused if change.kind is ChangeKind.CANCEL}
    contract_id = named[0] if named else None
    if not cancelled:
        return record_nothing_to_do(ctx, account_alert, contract_id, why)
    with ctx.transaction() as tx:
        counted = count_of(len(cancelled), "resting entry", "resting entries")
        reason = f"cancels {counted}: {why}"
        result, _ = record_outcome(tx, ctx, account_alert, contract_id, reason=reason)
        result["cancels"] = ", ".join(map(str, sorted(cancelled)))
        tx.finish(result)
    return result


def _unwanted_entries(state: RootState, alert: Alert, contract_id: str) -> list[OrderRow]:
    if alert.target_position is not None:
        return state.surplus_entries(contract_id, alert.target_position)
    resting = state.resting_entries(contract_id)
    if alert.kept_direction is not None:
        return [row for row in resting if _direction_of(row) is not alert.kept_direction]
    return [row for row in resting if alert.only_direction in {None, _direction_of(row)}]


def _direction_of(entry: OrderRow) -> Direction:
    return Direction.LONG if entry.side is Side.BUY else Direction.SHORT


def _exit_part(
    ctx: Context, account_alert: AccountAlert, state: RootState, holding: list[str], part_of: str
) -> dict[str, str]:
    """Close a part of what the venue holds, `part_of` first; with a target position, all of the other months."""
    alert = account_alert.alert
    held, quantity, target_position = state.quantity(part_of), alert.quantity or 0, alert.target_position
    others = [contract_id for contract_id in holding if contract_id != part_of]
    if target_position is not None:
        if others:
            close_first(ctx, others, account_alert.account_id)
        if surplus := state.surplus_entries(part_of, target_position):
            cancel_first(ctx, surplus, account_alert.account_id)
            raise PostponedError(
                f"cancelling entries in {part_of} that the target position does not want",
                poll_pause(machine_now() - ctx.job.enqueued_at),  # each run reads what is held
            )
        return exit_to_position(ctx, account_alert, part_of, held=held, target_position=target_position)
    if quantity >= sum(abs(state.quantity(contract_id)) for contract_id in holding):
        return close(ctx, account_alert, holding)
    reductions = []
    for contract_id in (part_of, *others):
        if part := min(quantity, abs(state.quantity(contract_id))):
            reductions.append(_take_off(account_alert, contract_id, part, state.direction(contract_id)))
            quantity -= part
    return reduce(ctx, account_alert, *reductions)


def _take_off(account_alert: AccountAlert, contract_id: str, quantity: int, direction: Direction) -> ReducePosition:
    return ReducePosition(
        account_id=account_alert.account_id,
        contract_id=contract_id,
        quantity=quantity,
        direction=direction,
        origin=Origin.ALERT,
    )


def exit_to_position(
    ctx: Context, account_alert: AccountAlert, contract_id: str, *, held: int, target_position: int
) -> dict[str, str]:
    """Close what is held beyond the target position; an exit never opens or enlarges a position."""
    if held * target_position < 0:
        return close(ctx, account_alert, [contract_id])
    if abs(held) > abs(target_position):
        return reduce(
            ctx,
            account_alert,
            ReducePosition(
                account_id=account_alert.account_id,
                contract_id=contract_id,
                target_position=target_position,
                origin=Origin.ALERT,
            ),
        )
    why = f"{show_position(held)} is held, {show_position(target_position)} is wanted"
    closed = _list_closed(ctx, account_alert)
    if not closed:
        return record_nothing_to_do(ctx, account_alert, contract_id, why)
    with ctx.transaction() as tx:
        result, _ = record_outcome(tx, ctx, account_alert, contract_id, reason=f"closes {', '.join(closed)}: {why}")
        result["closes"] = ", ".join(closed)
        tx.finish(result)
    return result


def _list_closed(ctx: Context, account_alert: AccountAlert) -> list[str]:
    """Return the contracts whose close the alert has requested: other months, or what it reverses."""
    with ctx.autocommit() as connection:
        return flatten_requests.list_contracts_requested_by(
            connection, account_alert.account_id, ctx.job.correlation_id, account_alert.stored.received_at
        )
