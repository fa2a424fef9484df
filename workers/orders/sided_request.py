"""A market entry that may be against what is held, and the orders that it does not wait for."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from shared.db.alerts.alerts import StoredAlert
from shared.db.orders.root_state import RootState
from shared.domain.market_data.contract import Root, root_of_contract
from shared.domain.orders.order import OrderState, OrderType, Origin, Side, direction_of
from shared.ledger.jobs.orders import ReducePosition
from workers.context import Context
from workers.orders.current_state import has_waited

_UNSENT = frozenset({OrderState.CREATED, OrderState.SUBMITTING, OrderState.IN_DOUBT})


@dataclass(frozen=True, slots=True)
class SidedRequest:
    """An entry without a target position that may be against what is held.

    `id` is that of the alert, or of the job of an entry that no alert requested. The quantity of a copy need not be a
    whole number.
    """

    id: UUID
    account_id: int
    contract_id: str
    side: Side
    type: OrderType
    quantity: Decimal | int
    origin: Origin
    stored: StoredAlert | None = None  # that requests it
    most_opening: int | None = None  # of a copy: its share of what the hook's own account opens

    @property
    def root(self) -> Root:
        """The root of its contract."""
        return root_of_contract(self.contract_id)

    def build_close(self, quantity: int, requested_at: datetime | None = None) -> ReducePosition:
        """Return the request to close so many contracts against the entry, first made at `requested_at` or now."""
        return ReducePosition(
            account_id=self.account_id,
            contract_id=self.contract_id,
            quantity=quantity,
            direction=direction_of(-self.side.sign),
            requested_at=requested_at,
            origin=self.origin,
        )


def leave_unsent(request: SidedRequest, state: RootState, opening: int) -> RootState:
    """Return the state without the entries that may not be at the venue, and which only add to what is held.

    Before something is opened, one that may be there counts: it is a part of what is to be reversed.
    """
    return state.without_entries(request.side.opposite, frozenset({OrderState.CREATED}) if opening else _UNSENT)


def leave_entries(ctx: Context, request: SidedRequest, state: RootState, opening: int) -> RootState:
    """Return the state without the entries that are not waited for: after 15 s none is, but each exit always.

    An exit that may have filled is not to be requested again.
    """
    if not has_waited(ctx):
        return leave_unsent(request, state, opening)
    every = frozenset(OrderState)
    return state.without_entries(Side.BUY, every).without_entries(Side.SELL, every)
