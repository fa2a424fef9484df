"""The open orders of an account while it is flattened: which of them are legs, and which close what is held."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from shared.clock import machine_now
from shared.db.orders.external_orders import list_resting
from shared.db.orders.orders import OrderRow
from shared.domain.orders.order import (
    OPEN_AT_VENUE,
    STOP_TYPES,
    OrderState,
    OrderType,
    Role,
    Side,
    closing_side_of,
    direction_of,
)
from shared.domain.orders.protection import ExternalOrder, K, find_protecting
from shared.gateway.rest.requester import TIMEOUT
from shared.gateway.wire import VenueOrder

Held = Mapping[str, int | None]  # contract -> its signed position, None if its direction cannot be read
_CALL_ENDS_WITHIN = TIMEOUT + timedelta(seconds=1)
_LEGS = {Role.STOP_LOSS, Role.TAKE_PROFIT}


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that is open at the venue, by the venue or, while it lists none, by our rows."""

    venue_id: int
    contract_id: str
    is_suspended: bool
    is_leg: bool
    is_closing: bool  # a market order against the position: the order of a close, or an exit of ours
    parent: int | UUID | None
    row: OrderRow | None


def is_exit_on_its_way(ours: list[OrderRow], contract_id: str, within: timedelta) -> bool:
    """Whether an exit of ours in the contract was sent less than `within` ago, also by a clock that has stepped.

    One whose call had no clear answer counts from then on, and one whose call is under way as long as that may last.
    """
    return any(
        _was_sent_within(row, within) for row in ours if row.role is Role.EXIT and row.contract_id == contract_id
    )


def _was_sent_within(row: OrderRow, within: timedelta) -> bool:
    sent_at = row.in_doubt_at or row.submitted_at
    if row.state is OrderState.SUBMITTING:
        within = max(within, _CALL_ENDS_WITHIN)
    return sent_at is not None and abs(machine_now() - sent_at) < within


def list_by_venue(working: list[VenueOrder], ours: list[OrderRow], held: Held) -> list[OpenOrder]:
    """Return the orders that the venue lists, with our rows of them.

    An order that was placed elsewhere and protects what is held is a leg too.
    """
    rows = {row.venue_order_id: row for row in ours}
    protecting = {
        key
        for contract_id, quantity in held.items()
        for key in _find_protecting(quantity, _list_elsewhere(working, rows, contract_id))
    }
    return [
        OpenOrder(
            one.id,
            one.contract_id,
            is_suspended=one.state is OrderState.SUSPENDED,
            is_leg=one.parent_order_id is not None
            or one.id in protecting
            or ((row := rows.get(one.id)) is not None and row.role in _LEGS),
            is_closing=_is_closing(one.type, one.side, held.get(one.contract_id)),
            parent=one.parent_order_id,
            row=rows.get(one.id),
        )
        for one in working
    ]


def _list_elsewhere(
    working: list[VenueOrder], rows: Mapping[int | None, OrderRow], contract_id: str
) -> dict[int, ExternalOrder]:
    """Return the working orders of a contract that are in none of our rows, or known as placed elsewhere."""
    return {
        one.id: ExternalOrder(
            one.type in STOP_TYPES, one.side, one.quantity - one.filled_quantity, one.stop_price or one.limit_price
        )
        for one in working
        if one.contract_id == contract_id
        and one.state is OrderState.WORKING
        and one.type is not OrderType.MARKET
        and one.side is not None
        and one.parent_order_id is None
        and ((row := rows.get(one.id)) is None or row.role is Role.OTHER)
    }


def _find_protecting(held: int | None, elsewhere: Mapping[K, ExternalOrder]) -> set[K]:
    """Return the orders that protect a signed position; all, if its direction cannot be read."""
    return set(elsewhere) if held is None else find_protecting(held, elsewhere)


def closing_side(held: int | None) -> Side | None:
    """Return the side of an order that closes a signed position; None if its direction cannot be read."""
    return None if held is None else closing_side_of(direction_of(held))


def _is_closing(type_: OrderType, side: Side | None, held: int | None) -> bool:
    return type_ is OrderType.MARKET and side is not None and side is closing_side(held)


def list_by_rows(ours: list[OrderRow], held: Held) -> list[OpenOrder]:
    """Return the orders that are open by our rows, while the venue lists none."""
    protecting = {
        key
        for contract_id, quantity in held.items()
        for key in _find_protecting(quantity, list_resting(row for row in ours if row.contract_id == contract_id))
    }
    ids = {row.id: row.venue_order_id for row in ours}
    return [
        OpenOrder(
            row.venue_order_id,
            row.contract_id,
            is_suspended=row.state is OrderState.SUSPENDED,
            is_leg=row.role in _LEGS or row.id in protecting,
            is_closing=_is_closing(row.type, row.side, held.get(row.contract_id)),
            parent=None if row.parent_id is None else ids.get(row.parent_id),
            row=row,
        )
        for row in ours
        if row.venue_order_id is not None and row.state in OPEN_AT_VENUE
    ]
