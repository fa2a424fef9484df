"""The open orders of an account while it is flattened: which of them are legs, and which close what is held."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from shared.clock import machine_now
from shared.db.orders.orders import OrderRow
from shared.domain.orders.order import OPEN_AT_VENUE, Direction, OrderState, OrderType, Role, Side, closing_side_of
from shared.gateway.rest.requester import TIMEOUT
from shared.gateway.wire import VenueOrder

Held = Mapping[str, Direction | None]  # contract -> the direction of its position, None if the venue names none
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
    """Return the orders that the venue lists, with our rows of them."""
    rows = {row.venue_order_id: row for row in ours}
    return [
        OpenOrder(
            one.id,
            one.contract_id,
            is_suspended=one.state is OrderState.SUSPENDED,
            is_leg=one.parent_order_id is not None or ((row := rows.get(one.id)) is not None and row.role in _LEGS),
            is_closing=_is_closing(one.type, one.side, held.get(one.contract_id)),
            parent=one.parent_order_id,
            row=rows.get(one.id),
        )
        for one in working
    ]


def _is_closing(type_: OrderType, side: Side | None, held: Direction | None) -> bool:
    return type_ is OrderType.MARKET and side is not None and side is closing_side_of(held)


def list_by_rows(ours: list[OrderRow], held: Held) -> list[OpenOrder]:
    """Return the orders that are open by our rows, while the venue lists none."""
    ids = {row.id: row.venue_order_id for row in ours}
    return [
        OpenOrder(
            row.venue_order_id,
            row.contract_id,
            is_suspended=row.state is OrderState.SUSPENDED,
            is_leg=row.role in _LEGS,
            is_closing=_is_closing(row.type, row.side, held.get(row.contract_id)),
            parent=None if row.parent_id is None else ids.get(row.parent_id),
            row=row,
        )
        for row in ours
        if row.venue_order_id is not None and row.state in OPEN_AT_VENUE
    ]
