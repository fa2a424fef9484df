"""Round trips: the fills of one account in one contract from flat to flat, matched first in first out."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from shared.domain.orders.order import Direction, Side
from shared.domain.orders.position import Baseline
from shared.domain.trades.rounding import CENT, PRICE_STEP, average_price, round_to


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of one side, with its own costs.

    `gross_pnl` is the result that the venue reports: a number if the fill closed contracts, None if it opened some.
    `strategy` and `origin` are those of its order, None if unknown.
    """

    id: int
    side: Side
    quantity: int
    price: Decimal
    fees: Decimal
    commissions: Decimal
    gross_pnl: Decimal | None
    is_voided: bool
    filled_market_at: datetime
    order_id: UUID | None = None
    strategy: str | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Lot:
    """Contracts that one fill opened and one closed; `entry_fill_id` is None if they were held before the first fill.

    Then `entry_price` is the one that the venue's result implies, and the entry time is that of the exit.
    """

    entry_fill_id: int | None
    exit_fill_id: int
    quantity: int
    entry_price: Decimal
    exit_price: Decimal
    entered_market_at: datetime
    exited_market_at: datetime
    gross: Decimal


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """One position from flat to flat; prices are averages over all contracts, money is in dollars.

    `quantity` is the most that was held at once. `part` is 1 if the opening fill first closed another round trip (a
    reversal), else 0. `has_unknown_entry` means that part of it was held before the first known fill;
    `opened_market_at` is then the time of that fill.
    """

    opening_fill_id: int
    part: int
    direction: Direction
    quantity: int
    opened_market_at: datetime
    closed_market_at: datetime
    entry_price: Decimal
    exit_price: Decimal
    gross: Decimal
    fees: Decimal
    commissions: Decimal
    fill_ids: tuple[int, ...]
    entry_order_id: UUID | None
    strategy: str | None
    origin: str | None
    has_unknown_entry: bool
    lots: tuple[Lot, ...]

    @property
    def net(self) -> Decimal:
        """The result after fees and commissions."""
        return self.gross - self.fees - self.commissions


@dataclass(frozen=True, slots=True)
class History:
    """The closed round trips, oldest first, and the net quantity that their fills leave, above zero when long."""

    round_trips: tuple[RoundTrip, ...]
    held: int


def build_round_trips(fills: Iterable[Fill], point_value: Fraction, baseline: Baseline | None = None) -> History:
    """Return the round trips of the fills of one account and contract, given in any order; sorted by time, then id.

    A fill id counts once, a voided fill not at all. Lots are matched first in first out, which agrees with the
    venue's average prices from flat to flat, but not while scaling out. A closing fill while nothing is held closes an
    opening position, held before the first fill, at the result that the venue reports.

    Where the fills until the instant of `baseline` make another quantity, some are not known: the open round trip ends
    with what it has closed by then, and what was held counts as an opening position.
    """
    matcher = _Matcher(point_value)
    for fill in _select_fills(fills):
        if baseline is not None and fill.filled_market_at > baseline.market_at:
            matcher.apply_baseline(baseline.quantity)
            baseline = None
        matcher.apply_fill(fill)
    return matcher.build_history()


def _select_fills(fills: Iterable[Fill]) -> list[Fill]:
    rows = list(fills)
    voided = {fill.id for fill in rows if fill.is_voided}
    unique = {fill.id: fill for fill in rows if fill.id not in voided}
    return sorted(unique.values(), key=lambda fill: (fill.filled_market_at, fill.id))


@dataclass(slots=True)
class _OpenTrip:
    """An open round trip: `unmatched` holds its entry fills, each with its quantity not closed yet."""

    first: Fill
    side: Side  # of its entries
    part: int
    held: int = 0
    most: int = 0
    unknown_entry_quantity: int = 0  # closed without a known entry
    average: Fraction = Fraction(0)  # of the contracts held, as the venue computes it: closing keeps it
    gross: Fraction = Fraction(0)
    fees: Decimal = Decimal(0)
    commissions: Decimal = Decimal(0)
    unmatched: deque[Fill] = field(default_factory=deque)
    fill_ids: list[int] = field(default_factory=list)
    lots: list[Lot] = field(default_factory=list)

    def add_costs(self, fill: Fill) -> None:
        self.fees += fill.fees
        self.commissions += fill.commissions
        self.fill_ids.append(fill.id)

    def add_entry(self, fill: Fill) -> None:
        self.add_costs(fill)
        self.unmatched.append(fill)
        self.average = (self.average * self.held + Fraction(fill.price) * fill.quantity) / (self.held + fill.quantity)
        self.held += fill.quantity
        self.most = max(self.most, self.held)

    def close_matched(self, fill: Fill, point_value: Fraction) -> None:
        """Close as much as is held, the oldest entry first."""
        self.add_costs(fill)
        remaining = fill.quantity
        while remaining and self.unmatched:
            entry = self.unmatched.popleft()
            matched = min(remaining, entry.quantity)
            gain = Fraction(fill.price - entry.price) * self.side.sign * matched * point_value
            self._close(fill, entry, entry.price, matched, gain)
            if matched < entry.quantity:
                self.unmatched.appendleft(replace(entry, quantity=entry.quantity - matched))
            remaining -= matched
        self.held -= fill.quantity - remaining

    def close_opening_position(self, fill: Fill, quantity: int, gain: Fraction, point_value: Fraction) -> None:
        """Close contracts that were held before the first fill; `gain` is the result that the venue reports."""
        price = Fraction(fill.price) - self.side.sign * gain / (quantity * point_value)
        self.unknown_entry_quantity += quantity
        self._close(fill, None, round_to(price, PRICE_STEP), quantity, gain)

    def _close(self, fill: Fill, entry: Fill | None, price: Decimal, quantity: int, gain: Fraction) -> None:
        self.gross += gain
        self.lots.append(
            Lot(
                entry_fill_id=entry.id if entry else None,
                exit_fill_id=fill.id,
                quantity=quantity,
                entry_price=price,
                exit_price=fill.price,
                entered_market_at=(entry or fill).filled_market_at,
                exited_market_at=fill.filled_market_at,
                gross=round_to(gain, CENT),
            )
        )

    def to_round_trip(self) -> RoundTrip:
        return RoundTrip(
            opening_fill_id=self.first.id,
            part=self.part,
            direction=Direction.LONG if self.side is Side.BUY else Direction.SHORT,
            quantity=self.most + self.unknown_entry_quantity,
            opened_market_at=self.first.filled_market_at,
            closed_market_at=self.lots[-1].exited_market_at,
            entry_price=average_price([(lot.entry_price, lot.quantity) for lot in self.lots]),
            exit_price=average_price([(lot.exit_price, lot.quantity) for lot in self.lots]),
            gross=round_to(self.gross, CENT),
            fees=self.fees,
            commissions=self.commissions,
            fill_ids=tuple(self.fill_ids),
            entry_order_id=self.first.order_id if self.first.side is self.side else None,
            strategy=self.first.strategy,
            origin=self.first.origin,
            has_unknown_entry=self.unknown_entry_quantity > 0,
            lots=tuple(self.lots),
        )


class _Matcher:
    """Applies fills in order; holds the open round trip and the closed ones."""

    def __init__(self, point_value: Fraction) -> None:
        self._point_value = point_value
        self._trip: _OpenTrip | None = None
        self._done: list[RoundTrip] = []

    def apply_fill(self, fill: Fill) -> None:
        trip = self._trip
        if trip is None or not trip.held:
            self._apply_while_flat(fill)
        elif fill.side is trip.side:
            trip.add_entry(fill)
        elif fill.quantity <= trip.held:
            trip.close_matched(fill, self._point_value)
            if not trip.held:
                self._end_trip()
        elif self._is_reversal(trip, fill):
            closing, opening = _split(fill, trip.held)
            trip.close_matched(closing, self._point_value)
            self._end_trip()
            self._begin_trip(opening, fill.side, part=1).add_entry(opening)
        else:
            self._close_more_than_held(trip, fill)

    def apply_baseline(self, quantity: int) -> None:
        """Give up the open round trip unless it holds this quantity."""
        trip = self._trip
        if trip is None or trip.held * trip.side.sign == quantity:
            return
        if trip.lots:
            self._end_trip()
        self._trip = None

    def build_history(self) -> History:
        held = self._trip.held * self._trip.side.sign if self._trip else 0
        if not held:
            self._end_trip()
        return History(tuple(self._done), held)

    def _apply_while_flat(self, fill: Fill) -> None:
        if fill.gross_pnl is None:
            self._end_trip()
            self._begin_trip(fill, fill.side, part=0).add_entry(fill)
            return
        # Closing fills in a row on one side scale out of one opening position: that is one round trip.
        trip = self._trip
        if trip is None or trip.side is fill.side:
            self._end_trip()
            trip = self._begin_trip(fill, fill.side.opposite, part=0)
        trip.add_costs(fill)
        trip.close_opening_position(fill, fill.quantity, Fraction(fill.gross_pnl), self._point_value)

    def _is_reversal(self, trip: _OpenTrip, fill: Fill) -> bool:
        """Whether a fill of more than is held opens the other side with the rest.

        The reported result decides: in a reversal it is that of the contracts we know; otherwise more were held.
        """
        if fill.gross_pnl is None:
            return True
        gain = (Fraction(fill.price) - trip.average) * trip.side.sign * trip.held * self._point_value
        return abs(Fraction(fill.gross_pnl) - gain) <= Fraction(CENT)

    def _close_more_than_held(self, trip: _OpenTrip, fill: Fill) -> None:
        unknown, known_before = fill.quantity - trip.held, trip.gross
        trip.close_matched(fill, self._point_value)
        gain = Fraction(fill.gross_pnl or 0) - (trip.gross - known_before)
        trip.close_opening_position(fill, unknown, gain, self._point_value)

    def _begin_trip(self, fill: Fill, side: Side, *, part: int) -> _OpenTrip:
        self._trip = _OpenTrip(fill, side, part)
        return self._trip

    def _end_trip(self) -> None:
        if self._trip is not None:
            self._done.append(self._trip.to_round_trip())
        self._trip = None


def _split(fill: Fill, closing: int) -> tuple[Fill, Fill]:
    """Return the closing and the opening part of a reversal; the closing part bears the odd cents of the costs."""
    opening = fill.quantity - closing
    share = Fraction(opening, fill.quantity)
    fees, commissions = (round_to(Fraction(cost) * share, CENT) for cost in (fill.fees, fill.commissions))
    return (
        replace(fill, quantity=closing, fees=fill.fees - fees, commissions=fill.commissions - commissions),
        replace(fill, quantity=opening, fees=fees, commissions=commissions, gross_pnl=None),
    )
