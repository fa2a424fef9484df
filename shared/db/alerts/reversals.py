"""What an alert reverses: what is held on the other side, which an exit closes even if nothing is entered.

The worker asks it of an alert that was received, and `tickwork alerts mock` of a message that was not sent.
"""

from decimal import Decimal
from math import ceil
from uuid import UUID

from sqlalchemy import Connection

from shared.db.alerts import precedence
from shared.db.alerts.alerts import StoredAlert
from shared.db.alerts.entry_denials import came_too_late
from shared.db.orders import flatten_requests
from shared.db.orders.reversals import RecordedReversal
from shared.db.orders.root_state import RootState, side_of
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.fields import MAX_CONTRACTS
from shared.domain.orders.order import OrderType, Side


def list_opposite(alert: Alert, state: RootState) -> list[str]:
    """Return the contracts that the symbol means and that are held against the target position of an entry.

    The side counts: a target position that its copy ratio rounds to 0 reverses what is held on the other side too.
    """
    return [] if alert.target_position is None else list_against(alert, state)


def list_against(alert: Alert, state: RootState) -> list[str]:
    """Return the contracts that the symbol means and that are held against the side of an entry."""
    sign = Side(alert.action).sign
    return [one for one in filter(alert.symbol.names, state.positions) if state.quantity(one) * sign < 0]


def list_closed_before_entry(
    alert: Alert, state: RootState, ratio: Decimal, recorded: RecordedReversal | None
) -> list[str]:
    """Return the contracts that an account with this copy ratio holds against an alert and closes before it enters.

    `recorded` is what it closes, once that is decided. Until then a size by risk may close all.
    """
    if alert.target_position is not None:
        return list_opposite(alert, state)
    if not alert.action.is_entry or alert.type is not OrderType.MARKET:
        return []
    sign = Side(alert.action).sign
    against = {one: -state.quantity(one) * sign for one in filter(alert.symbol.names, state.positions)}
    if recorded is not None:
        return [one for one, count in against.items() if recorded.closes_all and count > 0]
    most = MAX_CONTRACTS if alert.quantity is None else ceil(alert.quantity * ratio)
    return [one for one, count in against.items() if 0 < count <= most]


def list_closed_before_target(alert: Alert, state: RootState, contract_id: str) -> list[str]:
    """Return the contracts that are closed before the entry of a target position in the active contract.

    Those are the other months that the symbol means, with a position or an order, and the active contract itself if it
    is held against the entry.
    """
    others = [one for one in state.contract_ids if one != contract_id and alert.symbol.names(one)]
    is_reversed = state.quantity(contract_id) * Side(alert.action).sign < 0
    return [*others, *([contract_id] if is_reversed else [])]


def list_reversed(
    connection: Connection,
    stored: StoredAlert,
    account_id: int,
    alert: Alert,
    state: RootState,
    *,
    correlation_id: UUID,
) -> list[str]:
    """Return the contracts that are closed for an alert whatever becomes of its entry; none for another alert.

    What a later request has closed or entered is left, and all of it if an alert that was sent later was received
    first, as that one may have entered it. `correlation_id` is that of the alert's own closes, which do not count.
    """
    opposite = list_opposite(alert, state)
    if not opposite or came_too_late(connection, stored):
        return []
    entered_later = precedence.list_entered_later(connection, stored, account_id)
    return [
        contract_id
        for contract_id in opposite
        if (contract_id, side_of(state.quantity(contract_id))) not in entered_later
        and not flatten_requests.has_later_close(connection, account_id, contract_id, correlation_id, stored)
    ]
