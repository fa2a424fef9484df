"""The orders of a backtest that have not filled."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.orders.order import OrderType, Role, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingOrder:
    """An order that works: one that rests has its `price` in ticks, one at the market fills at `due_at`.

    The first fill in a `group` cancels the others of it: two entries, or the stop and the target of one. An entry
    brings its stop and its target with its fill, under the two ids after its own.
    """

    id: int
    role: Role
    type: OrderType
    side: Side
    quantity: int
    group: int
    price: int | None = None
    due_at: datetime | None = None
    stop_loss_ticks: int | None = None
    take_profit_ticks: int | None = None

    @property
    def is_leg(self) -> bool:
        """Whether it is the stop or the target of an entry that has filled."""
        return self.role in {Role.STOP_LOSS, Role.TAKE_PROFIT}


def legs_of(entry: WorkingOrder, quantity: int, fill_price: int) -> list[WorkingOrder]:
    """Return the stop and the target that `quantity` of an entry bring with their fill at a price in ticks."""
    sign, legs = entry.side.sign, []
    if entry.stop_loss_ticks is not None:
        legs.append((Role.STOP_LOSS, OrderType.STOP, fill_price - sign * entry.stop_loss_ticks))
    if entry.take_profit_ticks is not None:
        legs.append((Role.TAKE_PROFIT, OrderType.LIMIT, fill_price + sign * entry.take_profit_ticks))
    return [
        WorkingOrder(
            id=entry.id + number, role=role, type=type_, side=entry.side.opposite, quantity=quantity,
            group=entry.id + 1, price=price,
        )
        for number, (role, type_, price) in enumerate(legs, 1)
    ]  # fmt: skip
