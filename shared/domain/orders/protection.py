"""What must be done so that a position has a working stop of its own size, and a flat one has none."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.domain.orders.order import OrderType, Role, Side

_STOPS = frozenset({OrderType.STOP, OrderType.TRAILING_STOP})
_CLOSERS = frozenset({Role.STOP_LOSS, Role.TAKE_PROFIT, Role.EXIT})


@dataclass(frozen=True, slots=True)
class ClosingOrder:
    """A working order that may close something: `price` in ticks, `quantity` what may still fill.

    `is_ours` is False for an order of which we do not know what it is for: it may count, and is never touched.
    """

    id: UUID
    role: Role
    type: OrderType
    side: Side
    quantity: int
    price: int
    is_ours: bool


@dataclass(frozen=True, slots=True)
class ProtectionPlan:
    """What is wrong: contracts without a stop, orders to cancel, and orders to shrink to a quantity."""

    missing: int = 0
    cancels: tuple[UUID, ...] = ()
    shrinks: tuple[tuple[UUID, int], ...] = ()

    @property
    def is_covered(self) -> bool:
        """Whether every contract held has a working stop."""
        return self.missing == 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to do."""
        return self == ProtectionPlan()


def plan(position: int, working: Sequence[ClosingOrder]) -> ProtectionPlan:
    """Return what a position, signed, lacks and has too much of.

    Flat: every closer of ours is an orphan that could open something, so all go. Else the stops nearest to the market
    stay, as many as the position has contracts, and so do the targets; what stands on the wrong side goes.
    """
    ours = [one for one in working if one.is_ours and one.role in _CLOSERS]
    if position == 0:
        return ProtectionPlan(cancels=tuple(one.id for one in ours))
    closing = Side.SELL if position > 0 else Side.BUY
    held = abs(position)
    astray = [one.id for one in ours if one.side is not closing]
    strangers = sum(one.quantity for one in working if not one.is_ours and one.type in _STOPS and one.side is closing)
    stops = [one for one in ours if one.side is closing and one.role is Role.STOP_LOSS]
    targets = [one for one in ours if one.side is closing and one.role is Role.TAKE_PROFIT]
    # A sell stop protects a long the better the higher it stands, a sell limit is the nearer the lower.
    stops.sort(key=lambda one: (one.price * closing.sign, str(one.id)))
    targets.sort(key=lambda one: (one.price * -closing.sign, str(one.id)))
    cancels, shrinks = list(astray), []
    for closers in (stops, targets):
        left = held
        for one in closers:
            keeps = min(one.quantity, left)
            left -= keeps
            if keeps == 0:
                cancels.append(one.id)
            elif keeps < one.quantity:
                shrinks.append((one.id, keeps))
    covered = sum(one.quantity for one in stops) + strangers
    return ProtectionPlan(max(0, held - covered), tuple(cancels), tuple(shrinks))


def trailed_stop(
    side: Side, entry: int, best: int, stop: int, *, breakeven_ticks: int | None, trail_ticks: int | None
) -> int:
    """Return where the stop of an entry belongs, in ticks, once the price has been at `best`; it never moves back.

    From `breakeven_ticks` of profit it stands at the entry's price; it follows `trail_ticks` behind the best price.
    """
    wanted = [stop]
    if breakeven_ticks is not None and (best - entry) * side.sign >= breakeven_ticks:
        wanted.append(entry)
    if trail_ticks is not None:
        wanted.append(best - side.sign * trail_ticks)
    return max(wanted) if side is Side.BUY else min(wanted)
