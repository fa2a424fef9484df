"""Round trips: what the fills of one account in one contract add up to, from flat to flat, first in first out."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from shared.domain.orders.order import Direction, Side

_CENT = Decimal("0.01")
_PRICE_STEP = Decimal("0.0000000001")  # an average lies between ticks; the smallest tick, of 6J, has seven decimals


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of one side, with its own costs.

    `gross_pnl` is the venue's word: a number when the fill closed something, None when it opened. `strategy` and
    `origin` say who wished its order, as far as that is known.
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

    Those show the entry price that the venue's result implies, and the time of their closing as that of their entry.
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
    """One stretch of holding from flat to flat; prices are averages over all contracts, money is in dollars.

    `quantity` is the most that was held at once. `part` is 1 when the opening fill first closed another round trip (a
    reversal), else 0. `has_opening_position` says that some of it was held before the first fill we know:
    then `opened_market_at` is the time of that fill.
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
    has_opening_position: bool
    lots: tuple[Lot, ...]

    @property
    def net(self) -> Decimal:
        """What it earned, after fees and commissions."""
        return self.gross - self.fees - self.commissions


@dataclass(frozen=True, slots=True)
class History:
    """The round trips that are over, oldest first, and the net quantity still held, above zero when long."""

    round_trips: tuple[RoundTrip, ...]
    held: int


def build_round_trips(fills: Iterable[Fill], point_value: Fraction) -> History:
    """Return what the fills of one account and contract, in any order, come to; they are taken by time, then id.

    A fill id counts once, and a voided one not at all. Lots are matched first in first out, which agrees with the
    venue's average prices from flat to flat, but not while scaling out. A closing fill with nothing held closes what
    was held before the first fill, at the venue's own result.
    """
    tape = _Tape(point_value)
    for fill in _counted(fills):
        tape.take(fill)
    return tape.end()


def _counted(fills: Iterable[Fill]) -> list[Fill]:
    found = list(fills)
    voided = {fill.id for fill in found if fill.is_voided}
    once = {fill.id: fill for fill in found if fill.id not in voided}
    return sorted(once.values(), key=lambda fill: (fill.filled_market_at, fill.id))


@dataclass(slots=True)
class _Stretch:
    """A round trip under way: `unmatched` holds its open fills, each with what is left of it."""

    first: Fill
    side: Side  # of its entries
    part: int
    held: int = 0
    most: int = 0
    carried: int = 0  # closed without an entry that we know
    average: Fraction = Fraction(0)  # of what is held, as the venue reckons: closing keeps it
    gross: Fraction = Fraction(0)
    fees: Decimal = Decimal(0)
    commissions: Decimal = Decimal(0)
    unmatched: deque[Fill] = field(default_factory=deque)
    fill_ids: list[int] = field(default_factory=list)
    lots: list[Lot] = field(default_factory=list)

    def pay(self, fill: Fill) -> None:
        self.fees += fill.fees
        self.commissions += fill.commissions
        self.fill_ids.append(fill.id)

    def enter(self, fill: Fill) -> None:
        self.pay(fill)
        self.unmatched.append(fill)
        self.average = (self.average * self.held + Fraction(fill.price) * fill.quantity) / (self.held + fill.quantity)
        self.held += fill.quantity
        self.most = max(self.most, self.held)

    def leave(self, fill: Fill, point_value: Fraction) -> None:
        """Match as much as is held, the oldest first."""
        self.pay(fill)
        left = fill.quantity
        while left and self.unmatched:
            entry = self.unmatched.popleft()
            matched = min(left, entry.quantity)
            gain = Fraction(fill.price - entry.price) * self.side.sign * matched * point_value
            self._close(fill, entry, entry.price, matched, gain)
            if matched < entry.quantity:
                self.unmatched.appendleft(replace(entry, quantity=entry.quantity - matched))
            left -= matched
        self.held -= fill.quantity - left

    def leave_opening(self, fill: Fill, quantity: int, gain: Fraction, point_value: Fraction) -> None:
        """Close contracts that were held before the first fill; `gain` is what the venue says they earned."""
        price = Fraction(fill.price) - self.side.sign * gain / (quantity * point_value)
        self.carried += quantity
        self._close(fill, None, _decimal(price, _PRICE_STEP), quantity, gain)

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
                gross=_decimal(gain, _CENT),
            )
        )

    def result(self) -> RoundTrip:
        return RoundTrip(
            opening_fill_id=self.first.id,
            part=self.part,
            direction=Direction.LONG if self.side is Side.BUY else Direction.SHORT,
            quantity=self.most + self.carried,
            opened_market_at=self.first.filled_market_at,
            closed_market_at=self.lots[-1].exited_market_at,
            entry_price=_average([(lot.entry_price, lot.quantity) for lot in self.lots]),
            exit_price=_average([(lot.exit_price, lot.quantity) for lot in self.lots]),
            gross=_decimal(self.gross, _CENT),
            fees=self.fees,
            commissions=self.commissions,
            fill_ids=tuple(self.fill_ids),
            entry_order_id=self.first.order_id if self.first.side is self.side else None,
            strategy=self.first.strategy,
            origin=self.first.origin,
            has_opening_position=self.carried > 0,
            lots=tuple(self.lots),
        )


class _Tape:
    """Takes fills in order, and keeps the stretch under way and those that are over."""

    def __init__(self, point_value: Fraction) -> None:
        self._point_value = point_value
        self._stretch: _Stretch | None = None
        self._done: list[RoundTrip] = []

    def take(self, fill: Fill) -> None:
        stretch = self._stretch
        if stretch is None or not stretch.held:
            self._take_while_flat(fill)
        elif fill.side is stretch.side:
            stretch.enter(fill)
        elif fill.quantity <= stretch.held:
            stretch.leave(fill, self._point_value)
            if not stretch.held:
                self._finish()
        elif self._is_reversal(stretch, fill):
            closing, opening = _split(fill, stretch.held)
            stretch.leave(closing, self._point_value)
            self._finish()
            self._begin(opening, fill.side, part=1).enter(opening)
        else:
            self._close_more_than_held(stretch, fill)

    def end(self) -> History:
        held = self._stretch.held * self._stretch.side.sign if self._stretch else 0
        if not held:
            self._finish()
        return History(tuple(self._done), held)

    def _take_while_flat(self, fill: Fill) -> None:
        if fill.gross_pnl is None:
            self._finish()
            self._begin(fill, fill.side, part=0).enter(fill)
            return
        # One after another on one side, they scale out of one position from before: that is one round trip.
        stretch = self._stretch
        if stretch is None or stretch.side is fill.side:
            self._finish()
            stretch = self._begin(fill, fill.side.opposite, part=0)
        stretch.pay(fill)
        stretch.leave_opening(fill, fill.quantity, Fraction(fill.gross_pnl), self._point_value)

    def _is_reversal(self, stretch: _Stretch, fill: Fill) -> bool:
        """Whether a fill of more than is held opens the other way with the rest.

        The venue's result tells: of a reversal it is that of what we know to be held; else more was held than we know.
        """
        if fill.gross_pnl is None:
            return True
        gain = (Fraction(fill.price) - stretch.average) * stretch.side.sign * stretch.held * self._point_value
        return abs(Fraction(fill.gross_pnl) - gain) <= Fraction(_CENT)

    def _close_more_than_held(self, stretch: _Stretch, fill: Fill) -> None:
        unknown, known_before = fill.quantity - stretch.held, stretch.gross
        stretch.leave(fill, self._point_value)
        gain = Fraction(fill.gross_pnl or 0) - (stretch.gross - known_before)
        stretch.leave_opening(fill, unknown, gain, self._point_value)

    def _begin(self, fill: Fill, side: Side, *, part: int) -> _Stretch:
        self._stretch = _Stretch(fill, side, part)
        return self._stretch

    def _finish(self) -> None:
        if self._stretch is not None:
            self._done.append(self._stretch.result())
        self._stretch = None


def _split(fill: Fill, closing: int) -> tuple[Fill, Fill]:
    """Return the closing and the opening part of a reversal; of its costs the closing part bears the odd cents."""
    opening = fill.quantity - closing
    share = Fraction(opening, fill.quantity)
    fees, commissions = (_decimal(Fraction(cost) * share, _CENT) for cost in (fill.fees, fill.commissions))
    return (
        replace(fill, quantity=closing, fees=fill.fees - fees, commissions=fill.commissions - commissions),
        replace(fill, quantity=opening, fees=fees, commissions=commissions, gross_pnl=None),
    )


def _average(prices: Sequence[tuple[Decimal, int]]) -> Decimal:
    total = sum((Fraction(price) * quantity for price, quantity in prices), start=Fraction(0))
    return _decimal(total / sum(quantity for _, quantity in prices), _PRICE_STEP)


def _decimal(value: Fraction, step: Decimal) -> Decimal:
    """Return an exact value rounded half-even to `step`."""
    steps = round(value / Fraction(step))  # of Fractions, round is half-even and exact
    return steps * step
