"""The changes that leave a position with a working stop of its own size, and a flat one with none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from shared.domain.orders.order import MIN_TICKS, STOP_TYPES, OrderType, Role, Side
from shared.domain.orders.stop_pace import step_of

K = TypeVar("K", int, UUID)

_CLOSERS = frozenset({Role.STOP_LOSS, Role.TAKE_PROFIT, Role.EXIT})


@dataclass(frozen=True, slots=True)
class ClosingOrder:
    """A working order that may close contracts: `price` in ticks, `quantity` is the open quantity.

    `is_ours` is False for an order of unknown purpose: it counts if it is a stop, and it is never changed. `bracket` is
    the entry whose bracket it is a leg of, None of an order that stands alone, as the protector's stop does. With
    `is_size_fixed` the venue has refused to change its quantity, and with `has_open_cancel` a cancel is not answered.
    """

    id: UUID
    role: Role
    type: OrderType
    side: Side
    quantity: int
    price: int
    is_ours: bool
    bracket: UUID | None = None
    is_size_fixed: bool = False
    has_open_cancel: bool = False


@dataclass(frozen=True, slots=True)
class ProtectionPlan:
    """The changes a position needs: contracts without a stop, orders to cancel, orders to shrink to a quantity.

    `replacement` is a stop that is too large and that the venue does not shrink, and the quantity of the stop to place
    before it is cancelled.
    """

    missing: int = 0
    cancels: tuple[UUID, ...] = ()
    shrinks: tuple[tuple[UUID, int], ...] = ()
    replacement: tuple[UUID, int] | None = None

    @property
    def is_covered(self) -> bool:
        """Whether every contract of the position has a working stop."""
        return self.missing == 0

    @property
    def is_empty(self) -> bool:
        """Whether the position needs no change."""
        return self == ProtectionPlan()


def plan_protection(position: int, working: Sequence[ClosingOrder]) -> ProtectionPlan:
    """Return the changes that the closing orders of a position need; `position` is above zero when long.

    Flat: every closing order of ours could open a position, so all are cancelled, and so are orders on the wrong side.
    Otherwise whole brackets stay, those with the stops nearest to the market first, for as many contracts as the
    position has: only the two legs of one bracket cancel each other at the venue, so a stop left with the target of
    another bracket could open a position. A bracket that is a stop alone is whole too. Stops of no bracket, then
    targets without a stop of their own, stay for what is left. A target of fixed size that is too large is cancelled;
    such a stop is, once the position is covered by other brackets and stops as near to the market. A stop whose cancel
    is not answered may end any moment: others stay before it.
    """
    ours = [one for one in working if one.is_ours and one.role in _CLOSERS]
    if position == 0:
        return ProtectionPlan(cancels=tuple(one.id for one in ours))
    closing = Side.SELL if position > 0 else Side.BUY
    held = abs(position)
    on_side = [one for one in ours if one.side is closing]
    external = sum(
        one.quantity for one in working if not one.is_ours and one.type in STOP_TYPES and one.side is closing
    )
    stops = [one for one in on_side if one.role is Role.STOP_LOSS]
    targets = [one for one in on_side if one.role is Role.TAKE_PROFIT]
    # Nearest to the market first: for a long, the highest sell stop and the lowest sell limit.
    aimed = {one.bracket for one in targets}  # of stops at one price, those with a target stay
    stops.sort(key=lambda one: (one.has_open_cancel, *_rank(one, closing), one.bracket not in aimed, str(one.id)))
    targets.sort(key=lambda one: (one.price * -closing.sign, str(one.id)))
    kept_stops = _keep_nearest(stops, held)
    kept_targets = _keep_targets(targets, stops, kept_stops, held)
    kept = kept_stops | kept_targets
    too_large = [one for one in (*stops, *targets) if 0 < kept[one.id] < one.quantity]
    fixed = [one for one in too_large if one.is_size_fixed]
    for one in fixed:
        if one.role is Role.STOP_LOSS:  # of the stops, only one is kept in part
            return _plan_replacement(position, working, one, kept[one.id])
    cancels = [one.id for one in ours if one.side is not closing]
    cancels += [one.id for one in (*stops, *targets) if kept[one.id] == 0 or one in fixed]
    shrinks = [(one.id, kept[one.id]) for one in too_large if one not in fixed]
    covered = sum(one.quantity for one in stops) + external
    return ProtectionPlan(max(0, held - covered), tuple(cancels), tuple(shrinks))


def _plan_replacement(
    position: int, working: Sequence[ClosingOrder], stop: ClosingOrder, needed: int
) -> ProtectionPlan:
    """Return the changes that put others in the place of a stop for `needed` contracts, and then cancel its bracket.

    Others are brackets, and stops as near to the market, that no cancel may take away.
    """
    of_bracket = [one for one in working if one.bracket == stop.bracket and one.role is Role.TAKE_PROFIT]
    replaced = [stop, *of_bracket] if stop.bracket is not None else [stop]
    last = _rank(replace(stop, bracket=None), stop.side)
    others = sum(
        one.quantity
        for one in working
        if one.is_ours and one.role is Role.STOP_LOSS and one.side is stop.side and one is not stop
        if not one.has_open_cancel and _rank(one, stop.side) <= last
    )
    uncovered = min(needed, abs(position) - others)
    if uncovered > 0:
        wrong = [one.id for one in working if one.is_ours and one.role in _CLOSERS and one.side is not stop.side]
        return ProtectionPlan(cancels=tuple(wrong), replacement=(stop.id, uncovered))
    plan = plan_protection(position, [one for one in working if one not in replaced])
    return replace(plan, cancels=(*plan.cancels, *(one.id for one in replaced)))


def _rank(stop: ClosingOrder, closing: Side) -> tuple[bool, int]:
    return stop.bracket is None, stop.price * closing.sign


def _keep_nearest(closing_orders: Sequence[ClosingOrder], contracts: int) -> dict[UUID, int]:
    """Return for each order how much of it stays, the first ones first, so that all close at most `contracts`."""
    kept = {}
    for one in closing_orders:
        kept[one.id] = min(one.quantity, contracts)
        contracts -= kept[one.id]
    return kept


def _keep_targets(
    targets: Sequence[ClosingOrder], stops: Sequence[ClosingOrder], kept_stops: Mapping[UUID, int], held: int
) -> dict[UUID, int]:
    """Return for each target how much of it stays: no more than of its own stop, and without one what is left."""
    of_bracket: dict[UUID, int] = {}
    for one in stops:
        if one.bracket is not None:
            of_bracket[one.bracket] = of_bracket.get(one.bracket, 0) + kept_stops[one.id]
    kept: dict[UUID, int] = {}
    for bracket, contracts in of_bracket.items():
        kept |= _keep_nearest([one for one in targets if one.bracket == bracket], contracts)
    alone = [one for one in targets if one.id not in kept]
    return kept | _keep_nearest(alone, held - sum(kept.values()))


@dataclass(frozen=True, slots=True)
class ExternalOrder:
    """A working order that was placed elsewhere; `quantity` is the open one, `price` None if the venue names none."""

    is_stop: bool
    side: Side
    quantity: int
    price: Decimal | None


def mark_protection(position: int, orders: Sequence[ExternalOrder]) -> list[bool]:
    """Return for each external order whether it protects a position or could open one; `position` is signed.

    An order protects that rests on the closing side and is no larger than what is held. All stops together protect as
    many contracts as are held, those nearest to the market first, and so do all other orders: of a stop and a target,
    only one fills.
    """
    closing = Side.SELL if position > 0 else Side.BUY
    protects = [False] * len(orders)
    for is_stop in (True, False):
        # Nearest to the market first: for a long, the highest sell stop and the lowest sell limit.
        direction = closing.sign if is_stop else -closing.sign
        found = [(index, one) for index, one in enumerate(orders) if one.is_stop is is_stop and one.side is closing]
        remaining = abs(position)
        for index, one in sorted(found, key=lambda each: (each[1].price or Decimal(0)) * direction):
            protects[index] = one.quantity <= remaining
            remaining -= one.quantity if protects[index] else 0
    return protects


def find_protecting(position: int, orders: Mapping[K, ExternalOrder]) -> set[K]:
    """Return the keys of the external orders that protect a position, as mark_protection decides."""
    marks = mark_protection(position, list(orders.values()))
    return {key for key, protects in zip(orders, marks, strict=True) if protects}


def compute_protective_stop(
    side: Side, entry: int, best: int, stop: int, *, breakeven_ticks: int | None, trail_ticks: int | None
) -> int:
    """Return the price for the stop of an entry, in ticks, once the price has been at `best`; it never moves back.

    From `breakeven_ticks` of profit it is at the entry's price; it follows `trail_ticks` behind the best price, a step
    at a time. Both are at least MIN_TICKS from the best price.
    """
    candidates = [stop]
    if breakeven_ticks is not None and (best - entry) * side.sign >= max(breakeven_ticks, MIN_TICKS):
        candidates.append(entry)
    if trail_ticks is not None:
        distance = max(trail_ticks, MIN_TICKS)
        trailed = best - side.sign * distance
        if (trailed - stop) * side.sign >= step_of(distance):
            candidates.append(trailed)
    return max(candidates) if side is Side.BUY else min(candidates)
