"""When an order fills as the last price moves, and at what price.

The simulator matches orders with these rules. They are pure, so that a backtest can match with the same ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.orders.order import OrderType, Side


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid, best ask and last price at one instant, in ticks."""

    bid: int
    ask: int
    last: int

    def price_for(self, side: Side) -> int:
        """Return the price a market order gets: the ask for a buy, the bid for a sell."""
        return self.ask if side is Side.BUY else self.bid


@dataclass(frozen=True, slots=True)
class Move:
    """A straight move of the last price from `start_price` to `end_price`, in ticks, over [start, end).

    While it rises the last trade was at the ask, else at the bid; the other side of the quote is one tick away.
    """

    start: datetime
    end: datetime
    start_price: int
    end_price: int
    is_rising: bool

    def price_at(self, at: datetime) -> int:
        """Return the last price at an instant of the move."""
        if at >= self.end:
            return self.end_price
        way = self.end_price - self.start_price
        # Whole microseconds, not floats, so that every run gets the same tick; rounded towards the start.
        covered = abs(way) * ((at - self.start) // _STEP) // ((self.end - self.start) // _STEP)
        return self.start_price + (covered if way > 0 else -covered)

    def quote_at(self, at: datetime) -> Quote:
        """Return the quote at an instant of the move."""
        return self.quote_of(self.price_at(at))

    def instant_of(self, price: int) -> datetime:
        """Return the first instant at which the move reaches `price`, which must lie between its ends."""
        way = abs(self.end_price - self.start_price)
        return self.start if way == 0 else self.start + (self.end - self.start) * abs(price - self.start_price) / way

    def clip(self, start: datetime, end: datetime) -> "Move":
        """Return the part of the move inside [start, end)."""
        first, last = max(self.start, start), min(self.end, end)
        return replace(
            self, start=first, end=last, start_price=self.price_at(first), end_price=self.price_at(last)
        )  # fmt: skip

    def quote_of(self, last: int) -> Quote:
        """Return the quote while the last price of this move is `last`."""
        return Quote(last - 1, last, last) if self.is_rising else Quote(last, last + 1, last)


_STEP = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class PriceHit:
    """The complete fill of an order: when, at what price, and the last price then; prices in ticks."""

    at: datetime
    price: int
    last: int


def moves_of(bar: Bar, duration: timedelta = MINUTE, *, is_other_way: bool = False) -> Iterator[Move]:
    """Yield the three moves of a bar between open, low, high and close; a bar that rose goes to its low first.

    With `is_other_way` a bar that rose goes to its high first, and one that fell to its low.
    """
    is_low_first = (bar.close >= bar.open) != is_other_way
    prices = (bar.open, bar.low, bar.high, bar.close) if is_low_first else (bar.open, bar.high, bar.low, bar.close)
    for part in range(3):
        is_rising = (part == 1) == is_low_first
        yield Move(
            bar.start + duration * part / 3, bar.start + duration * (part + 1) / 3,
            prices[part], prices[part + 1], is_rising,
        )  # fmt: skip


def fill_price_on_arrival(type_: OrderType, side: Side, price: int | None, quote: Quote) -> int | None:
    """Return the price at which an order fills on arrival, or None if it rests.

    A market order takes the other side of the quote, and so does a limit that crosses it; a stop rests.
    """
    taken = quote.price_for(side)
    if type_ is OrderType.MARKET:
        return taken
    if type_ is OrderType.LIMIT and price is not None and (price - taken) * side.sign >= 0:
        return taken
    return None


def find_fill(
    type_: OrderType, side: Side, price: int, move: Move, trail: int | None = None, *, is_touch_enough: bool = False
) -> PriceHit | None:
    """Return how a resting stop or limit at `price` fills on `move`, or None.

    A stop triggers when the last price touches it, or when the move begins beyond it (a gap), and then takes the
    quote. A limit fills at its own price, and only when the last price goes through it: at a touch, orders ahead of
    ours may take every contract. `is_touch_enough` makes it fill at a touch. A trailing stop is at `price` when the
    move begins and follows the last price `trail` ticks away. Raise ValueError for an order that does not rest.
    """
    if type_ is OrderType.STOP:
        return _hit_stop(side, price, move)
    if type_ is OrderType.TRAILING_STOP and trail is not None:
        # A move has one direction: it pushes the stop away or approaches it. Only its first price can do both.
        return _hit_stop(side, trail_stop(side, price, trail, move.start_price), move)
    if type_ is OrderType.LIMIT:
        return _hit_limit(side, price, price if is_touch_enough else price - side.sign, move)
    raise ValueError(f"a {type_} order does not rest: expected a LIMIT, a STOP, or a TRAILING_STOP with its trail")


def trail_stop(side: Side, price: int, trail: int, last: int) -> int:
    """Return the price of a trailing stop once the last price has been at `last`: it never moves back."""
    return max(price, last - trail) if side is Side.SELL else min(price, last + trail)


def _hit_stop(side: Side, price: int, move: Move) -> PriceHit | None:
    if (move.start_price - price) * side.sign >= 0:
        last = move.start_price
    elif (move.end_price - price) * side.sign >= 0:
        last = price
    else:
        return None
    at = move.instant_of(last)
    return PriceHit(at, move.quote_of(last).price_for(side), last)


def _hit_limit(side: Side, price: int, through: int, move: Move) -> PriceHit | None:
    if (through - move.start_price) * side.sign >= 0:
        last = move.start_price
    elif (through - move.end_price) * side.sign >= 0:
        last = through
    else:
        return None
    return PriceHit(move.instant_of(last), price, last)
