"""The changes to stops that an alert requests: to a price or distance, to breakeven, or to a trailing distance."""

from dataclasses import dataclass
from decimal import Decimal

from shared.db.alerts import precedence
from shared.db.orders import changes, positions
from shared.db.orders.positions import PositionRow
from shared.db.orders.stops import list_external, read_stopped_position, set_trail
from shared.domain.alerts.alert import AlertAction
from shared.domain.orders.order import ChangeKind, Origin
from shared.domain.orders.stop_moves import StopMove, StoppedPosition, plan_breakeven, plan_stop_move, require_to_rest
from shared.errors import PostponedError, RefusedError, RiskLimitError
from shared.hot.quotes import exit_price_from
from shared.ledger.jobs.orders import ChangeOrder
from shared.ledger.ledger import Transaction
from workers.alerts.outcome import AccountAlert, record_nothing_to_do, record_outcome
from workers.alerts.wider_stop import require_may_widen
from workers.context import Context
from workers.orders.current_state import RETRY_AFTER, WAIT_FOR, has_waited, read_root_state, require_certain
from workers.orders.exit_permission import lock_and_find_denial

# Of one group the alert that was sent, or without a time received, later wins, in whatever order they run.
_MOVES = (AlertAction.MOVE_STOP, AlertAction.BREAKEVEN)
_TRAILS = (AlertAction.TRAIL,)
STOP_ACTIONS = frozenset((*_MOVES, *_TRAILS))


@dataclass(frozen=True, slots=True)
class _Decision:
    """The outcome for one position: in words, whether something changes, and the error if it is denied."""

    text: str
    is_change: bool = False
    error: RefusedError | None = None


def change_stops(ctx: Context, account_alert: AccountAlert) -> dict[str, str]:
    """Change the stop of every position that the symbol means; signal, changes and the job's end are one commit.

    Raise PostponedError while a position is not certain, or an entry received before has yet to be made; RefusedError
    for a stop that would fill at once, and RiskLimitError for one that the risk rules do not allow.
    """
    symbol, account_id = account_alert.alert.symbol, account_alert.account_id
    with ctx.autocommit() as connection:  # before the positions are read: an entry is in one of the two
        is_awaited = precedence.awaits_entry(connection, account_alert.stored, account_id)
    state = read_root_state(ctx, account_id, symbol.root)
    named = require_certain(state, sorted(filter(symbol.names, state.contract_ids)))
    held = [contract_id for contract_id in named if state.quantity(contract_id)]
    if is_awaited and (not held or not has_waited(ctx)):
        raise PostponedError(f"an entry in {symbol.text} that was received before is not made yet", RETRY_AFTER)
    if not held:
        return record_nothing_to_do(ctx, account_alert, named[0] if named else None, f"no position in {symbol.text}")
    with ctx.transaction() as tx:
        denial = lock_and_find_denial(tx, ctx, account_id)
        decisions = [] if denial else _decide_all(tx, ctx, account_alert, held)
        changed = "; ".join(each.text for each in decisions if each.is_change)
        errors = [each.error for each in decisions if each.error is not None]
        text = "; ".join(each.text for each in decisions)
        denial = denial or (text if errors and not changed else None)
        reason = text if changed else f"nothing to do: {text}"
        result, denial = record_outcome(tx, ctx, account_alert, held[0], reason=reason, denial=denial)
        if denial is None:
            result |= {"changes": text} if changed else {"nothing_to_do": text}
            tx.finish(result)
    if denial is not None:
        raise type(errors[0])(denial) if errors else RiskLimitError(denial)
    return result


def _decide_all(tx: Transaction, ctx: Context, account_alert: AccountAlert, held: list[str]) -> list[_Decision]:
    group = _TRAILS if account_alert.alert.action is AlertAction.TRAIL else _MOVES
    is_late = precedence.is_late(tx.connection, account_alert.stored, group, acted_on_by=account_alert.account_id)
    if is_late:
        return [_Decision("an alert that was sent later has changed the stop")]
    if precedence.has_later_change(tx.connection, account_alert.stored, account_alert.account_id, group):
        return [_Decision("an alert that was received later has changed the stop")]
    exit_price = exit_price_from(ctx.quotes.read(held))
    rows = [
        row for row in positions.list_of_account(tx.connection, account_alert.account_id) if row.contract_id in held
    ]
    decisions = []
    for row in rows:
        try:
            decisions.append(_decide(tx, ctx, account_alert, row, exit_price(row.contract_id, row.quantity)))
        except RefusedError as error:
            decisions.append(_Decision(str(error), error=error))
    return decisions or [_Decision(f"no position in {account_alert.alert.symbol.text}")]


def _decide(
    tx: Transaction, ctx: Context, account_alert: AccountAlert, row: PositionRow, exit_price: Decimal | None
) -> _Decision:
    if account_alert.alert.action is AlertAction.TRAIL:
        trail = set_trail(tx.connection, row, account_alert.alert.trail_ticks, by="by an alert")
        return _Decision(trail.text, is_change=trail.is_new)
    position = read_stopped_position(tx.connection, row, exit_price)
    if not position.stops and list_external(tx.connection, row):
        raise RefusedError(f"the stop of {row.contract_id} was placed elsewhere: move it there")
    if not position.stops:
        raise _not_yet(ctx, f"no stop is working for the position in {row.contract_id}")
    move = _plan(account_alert, position)
    shown = position.format_price(move.price)
    if not move.moved:
        price = move.better[0].price if move.better else move.price
        detail = f", which protects more than breakeven at {shown}" if move.better else ""
        return _Decision(f"the stop of {row.contract_id} is at {position.format_price(price)}{detail}")
    if exit_price is None:
        raise _not_yet(ctx, f"no fresh quote of {row.contract_id} can tell whether a stop at {shown} would rest")
    require_to_rest(position, move.price)
    if move.is_wider(position):
        require_may_widen(tx.connection, ctx, row.account_id, position, price=move.price, exit_price=exit_price)
    return _move(tx, ctx, position, move)


def _plan(account_alert: AccountAlert, position: StoppedPosition) -> StopMove:
    if account_alert.alert.action is AlertAction.BREAKEVEN:
        return plan_breakeven(position)
    return plan_stop_move(position, price=account_alert.alert.stop_loss, ticks=account_alert.alert.stop_loss_ticks)


def _move(tx: Transaction, ctx: Context, position: StoppedPosition, move: StopMove) -> _Decision:
    if any(changes.has_open(tx.connection, stop.id) for stop in move.moved):
        raise _not_yet(ctx, f"the stop of {position.contract.id} has a change that is not settled")
    for stop in move.moved:
        change = changes.create(
            tx.connection,
            stop.id,
            ChangeKind.MODIFY,
            origin=Origin.ALERT,
            reason="an alert moves the stop",
            correlation_id=ctx.job.correlation_id,
            stop_price=move.price,
        )
        tx.enqueue(ChangeOrder(change_id=change.id))
    return _Decision(f"the stop of {position.contract.id} moves to {position.format_price(move.price)}", is_change=True)


def _not_yet(ctx: Context, why: str) -> PostponedError | RefusedError:
    """Return the error for a fact that may still come: a postponement, or a refusal once WAIT_FOR is over."""
    return RefusedError(f"{why} within {WAIT_FOR.seconds} s") if has_waited(ctx) else PostponedError(why, RETRY_AFTER)
