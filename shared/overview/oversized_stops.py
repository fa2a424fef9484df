"""Stops that were placed elsewhere and would turn the position around that they were to protect."""

from dataclasses import dataclass

from sqlalchemy import Connection

from shared.db.accounts import accounts
from shared.db.orders import orders, positions
from shared.db.orders.external_orders import list_resting
from shared.db.orders.positions import PositionRow
from shared.domain.counting import count_of
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.orders.order import closing_side_of, direction_of


@dataclass(frozen=True, slots=True)
class OversizedStops:
    """The contracts that stops placed elsewhere would close of a position, more than it holds."""

    account: str
    position: PositionRow
    quantity: int


def find_oversized_stops(connection: Connection) -> str | None:
    """Return the positions that such stops would turn around, with what to do; None if there is none."""
    names = {one.id: one.name for one in accounts.list_all(connection)}
    found = [
        OversizedStops(names[held.account_id], held, quantity)
        for held in positions.list_in_accounts(connection, list(names))
        if (quantity := _count_stopped(connection, held)) > abs(held.quantity)
    ]
    if not found:
        return None
    shown = "; ".join(
        f"{one.account} holds {count_of(abs(one.position.quantity), 'contract')} of "
        f"{shorten_contract(one.position.contract_id)}, and stops that were placed elsewhere close {one.quantity}"
        for one in found
    )
    return (
        f"{shown}: the rest would open a position the other way, and stays when this one is closed. Tickwork changes "
        "no order of others: make the stop smaller where it was placed, or `tickwork orders cancel ID`"
    )


def _count_stopped(connection: Connection, held: PositionRow) -> int:
    """Return the contracts of the stops placed elsewhere on the closing side of a position."""
    rows = orders.list_open_in_contract(connection, held.account_id, held.contract_id)
    closing = closing_side_of(direction_of(held.quantity))
    return sum(one.quantity for one in list_resting(rows).values() if one.is_stop and one.side is closing)
