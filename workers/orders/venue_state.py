"""Applies an account's orders, fills and positions, as the venue reports them, to our rows; the venue is right."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from sqlalchemy import Connection

from shared.db.market_data import contracts
from shared.db.orders import changes, contract_closes, fills, orders, positions, venue_orders
from shared.db.orders.contract_closes import CloseCause
from shared.db.orders.orders import OrderRow
from shared.db.orders.venue_orders import ReportedOrder, StoredOrder
from shared.domain.market_data.contract import Contract, root_of_contract
from shared.domain.orders.order import OrderState, OrderType, Origin, Role, Side
from shared.gateway.wire import VenueFill, VenueOrder
from shared.ids import new_id
from shared.ledger.jobs.orders import GuardPosition, guard_key
from shared.ledger.ledger import Transaction
from workers.orders.protection_state import load_state, record_if_protected
from workers.orders.venue_view import VenueView

log = logging.getLogger(__name__)

_LEGS = {"-SL": Role.STOP_LOSS, "-TP": Role.TAKE_PROFIT}
_ENDED_UNFILLED = {OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED}


def apply(tx: Transaction, view: VenueView) -> None:
    """Bring our rows in line with the venue: match orders by tag or venue id, adopt external ones, add up fills."""
    ended = apply_orders(tx.connection, view.account_id, view.applicable_orders)
    if ended:
        _guard_what_they_protected(tx, view, ended)
    apply_fills(tx, view.account_id, view.fills)


def apply_orders(connection: Connection, account_id: int, shown: Sequence[VenueOrder]) -> list[VenueOrder]:
    """Bring our rows of these orders in line, by tag or venue id; adopt external orders and settle changes.

    A final state stays, and an earlier report never undoes a later one. Return those that ended unfilled.
    """
    if not shown:
        return []
    kept = venue_orders.find_stored(connection, account_id, {order.id for order in shown})
    # One order may be listed several times, out of order: each is compared by itself.
    changed = [
        order for order in sorted(shown, key=lambda order: order.id) if not _is_unchanged(kept.get(order.id), order)
    ]
    ended = _apply_updates(connection, account_id, changed, kept) if changed else []
    changes.settle(connection, account_id, [order.id for order in shown])
    return ended


def _guard_what_they_protected(tx: Transaction, view: VenueView, ended: Sequence[VenueOrder]) -> None:
    """Have the positions guarded whose orders ended unfilled: one of them may have been the stop.

    A fill that another transaction has not committed yet may make the position, with the stop still working there:
    the lock waits for it. All positions are locked in one order, those of the fills that follow included.
    """
    filled = known_contracts(tx.connection, view.account_id, {fill.contract_id for fill in view.fills})
    for contract_id in sorted(filled | {order.contract_id for order in ended}):
        positions.lock(tx.connection, view.account_id, contract_id)
    for order in ended:
        if positions.quantity_of(tx.connection, view.account_id, order.contract_id):
            _enqueue_guard(tx, view.account_id, order.contract_id, f"order:{order.id}:{order.state}")


def _apply_updates(
    connection: Connection, account_id: int, changed: Sequence[VenueOrder], kept: Mapping[int, StoredOrder]
) -> list[VenueOrder]:
    """Record orders that the venue changed; return those that ended unfilled."""
    known = known_contracts(connection, account_id, {order.contract_id for order in changed})
    tags = {order.tag for order in changed if order.tag}
    ours = orders.find_by_tags(connection, account_id, tags | {tag[:-3] for tag in tags if tag[-3:] in _LEGS})
    ended: list[VenueOrder] = []
    for order in changed:
        if order.contract_id not in known:
            continue
        row = ours.get(order.tag or "")
        is_orphan = row is not None and row.parent_id is None and order.parent_order_id is not None
        if row is not None and order.state is OrderState.REJECTED and row.venue_order_id != order.id:
            _record_rejected_duplicate(connection, account_id, row, order)
        elif order.state is None and order.id in kept:  # a state that we cannot read changes nothing
            continue
        elif row is None or is_orphan:
            ended += [order] * (_adopt_order(connection, account_id, order, ours) and order.state in _ENDED_UNFILLED)
        else:
            ended += [order] * (_update_row(connection, row, order) and order.state in _ENDED_UNFILLED)
    fills.link_to_orders(connection, account_id, [order.id for order in changed])
    return ended


def _is_unchanged(kept: StoredOrder | None, order: VenueOrder) -> bool:
    return kept is not None and kept.has_no_news(_to_report(order), may_find_parent=order.tag is not None)


def _enqueue_guard(tx: Transaction, account_id: int, contract_id: str, cause: str) -> None:
    request = GuardPosition(account_id=account_id, contract_id=contract_id)
    tx.enqueue_unless_queued(request, guard_key(account_id, contract_id), key=f"guard:{account_id}:{cause}")


def _record_rejected_duplicate(connection: Connection, account_id: int, row: OrderRow, order: VenueOrder) -> None:
    """Record a rejected order that has the tag of `row`, without a change of the row's own state.

    A tag that arrives twice leaves an accepted order and a rejected one: only the answer to our call, or a search that
    finds no other order, proves that ours was rejected.
    """
    if row.state is OrderState.REJECTED and row.venue_order_id is None:
        orders.record_venue_order_id(connection, row.id, order.id)
    else:
        _adopt_order(connection, account_id, replace(order, tag=None), {})


def _update_row(connection: Connection, row: OrderRow, order: VenueOrder) -> bool:
    if order.state is None and row.state not in {OrderState.SUBMITTING, OrderState.IN_DOUBT}:
        return False  # we know more than the venue's unreadable state says
    return venue_orders.refresh(connection, row.id, _to_report(order))


def _adopt_order(connection: Connection, account_id: int, order: VenueOrder, ours: Mapping[str, OrderRow]) -> bool:
    if order.side is None:
        log.error("account %s: order %s has an unknown side and is not recorded", account_id, order.id)
        return False
    if order.quantity < 1:
        log.error("account %s: order %s is not recorded: quantity %s is below 1", account_id, order.id, order.quantity)
        return False
    parent_tag, role = (order.tag[:-3], _LEGS.get(order.tag[-3:], Role.OTHER)) if order.tag else ("", Role.OTHER)
    parent = ours.get(parent_tag)
    if parent is None and parent_tag:  # perhaps adopted a moment ago
        parent = orders.find_by_tags(connection, account_id, [parent_tag]).get(parent_tag)
    cause = _find_close_cause(connection, account_id, order, order.side)
    owner = parent or cause
    shown = _to_report(order)
    order_id = new_id()
    return venue_orders.adopt(
        connection,
        shown,
        id=order_id,
        account_id=account_id,
        contract_id=order.contract_id,
        client_order_id=order.tag,
        side=order.side.value,
        type=order.type.value,
        parent_id=parent.id if parent else None,
        origin=owner.origin if owner else Origin.EXTERNAL,
        role=role if parent else Role.EXIT if cause else Role.OTHER,
        correlation_id=owner.correlation_id if owner else order_id,
    )


def _find_close_cause(connection: Connection, account_id: int, order: VenueOrder, side: Side) -> CloseCause | None:
    """Return who has closed with this order: the venue's closeContract takes no tag of ours."""
    if order.tag is not None or order.type is not OrderType.MARKET or order.parent_order_id is not None:
        return None
    return contract_closes.find_cause(connection, account_id, order.contract_id, side, order.created_market_at)


def _to_report(order: VenueOrder) -> ReportedOrder:
    return ReportedOrder(
        venue_order_id=order.id,
        state=order.state or OrderState.WORKING,  # an unreadable state: it works until the venue reports otherwise
        filled_quantity=order.filled_quantity,
        average_fill_price=order.average_fill_price,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        changed_market_at=order.updated_market_at or order.created_market_at,
        quantity=order.quantity if order.quantity > 0 else None,
    )


def apply_fills(tx: Transaction, account_id: int, shown: Sequence[VenueFill]) -> None:
    """Record these fills with the orders that they filled, add up the positions, and have them guarded."""
    if not shown:
        return
    connection = tx.connection
    known = known_contracts(connection, account_id, {fill.contract_id for fill in shown})
    kept = [fill for fill in sorted(shown, key=lambda fill: fill.id) if fill.contract_id in known]
    for contract_id in sorted({fill.contract_id for fill in kept}):
        positions.lock(connection, account_id, contract_id)
    ours = fills.find_order_ids(connection, account_id, [fill.order_id for fill in kept])
    rows = []
    for fill in kept:
        if fill.side is None:
            log.error("account %s: fill %s has an unknown side and is not recorded", account_id, fill.id)
            continue
        row = asdict(fill)
        rows.append(
            row
            | {
                "venue_fill_id": row.pop("id"),
                "venue_order_id": fill.order_id,
                "order_id": ours.get(fill.order_id),
                "side": fill.side.value,
            }
        )
    moved = fills.store(connection, rows)
    for contract_id in sorted({contract_id for _, contract_id in moved}):
        positions.recompute(connection, account_id, contracts.require(connection, contract_id))
    void = {fill.id for fill in kept if fill.is_voided}
    guarded = {contract_id for _, contract_id in moved if _record_if_covered(connection, account_id, contract_id)}
    for fill_id, contract_id in moved:
        if contract_id in guarded:
            continue
        _enqueue_guard(tx, account_id, contract_id, f"fill:{fill_id}{':void' if fill_id in void else ''}")


def _record_if_covered(connection: Connection, account_id: int, contract_id: str) -> bool:
    """Record that working orders cover the position, if they do; return whether nothing is left to do for a guard.

    The venue reports a bracket's legs with the fill of its entry, so mostly no guard job is needed.
    """
    state = load_state(connection, account_id, contract_id)
    record_if_protected(connection, state)
    return state.is_settled


def known_contracts(connection: Connection, account_id: int, touched: set[str]) -> set[str]:
    """Return the contracts, expired ones included, that our rows may refer to; the others are logged.

    Manual trades in a product that is not in our table are left out, so that they do not stop the rest.
    """
    known = {contract_id for contract_id in sorted(touched) if _is_known(connection, contract_id)}
    for contract_id in sorted(touched - known):
        log.warning("account %s: unknown contract %s, its orders and fills are not recorded", account_id, contract_id)
    return known


def _is_known(connection: Connection, contract_id: str) -> bool:
    if contracts.get(connection, contract_id) is not None:
        return True
    try:
        root = root_of_contract(contract_id)
    except ValueError:
        return False
    name = contract_id.removeprefix("CON.F.US.")
    found = Contract(contract_id, name, root.name, root.tick_size, root.tick_value, is_active=False)
    contracts.add(connection, found)  # refresh_contracts may store it as active at this moment
    return True
