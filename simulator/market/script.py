"""A path of prices a person wrote for one contract, and the minute bars it makes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.domain.market_data.bar import Bar
from shared.domain.orders.matching import Move, moves_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One piece of a script, in ticks: the price goes straight to `price` within `seconds` of market time.

    With `open` it begins there instead of where it was, so that an `open` like the `price` is a jump. With `high` or
    `low` it is a bar that ends at `price` and goes to its extremes as any bar does. `volume` is traded evenly.
    """

    price: int
    seconds: float
    open: int | None = None
    high: int | None = None
    low: int | None = None
    volume: int = 0

    @property
    def length(self) -> timedelta:
        """How long it takes, in market time."""
        return timedelta(seconds=self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What a contract's price does from `starts_market_at` on; after the last step it stands."""

    contract_id: str
    starts_market_at: datetime
    steps: list[Step] = field(default_factory=list)

    @property
    def ends_market_at(self) -> datetime:
        """When the last step is over."""
        return self.starts_market_at + sum((step.length for step in self.steps), timedelta())


@dataclass(frozen=True, slots=True)
class Leg:
    """A step as it lies in time: its moves, and what is traded on them."""

    moves: tuple[Move, ...]
    volume: int

    @property
    def start(self) -> datetime:
        """When the step begins."""
        return self.moves[0].start

    @property
    def end(self) -> datetime:
        """When the next one begins."""
        return self.moves[-1].end

    def until(self, at: datetime) -> "Leg":
        """Return the step as far as an instant after its start."""
        if self.end <= at:
            return self
        moves = tuple(move.clipped(self.start, at) for move in self.moves if move.start < at)
        return Leg(moves, self.volume_in(self.start, at))

    def volume_in(self, start: datetime, end: datetime) -> int:
        """Return what is traded in [start, end); the parts of a step add up to its volume."""
        length = (self.end - self.start) // _STEP
        since, until = ((min(max(at, self.start), self.end) - self.start) // _STEP for at in (start, end))
        return self.volume * until // length - self.volume * since // length


_STEP = timedelta(microseconds=1)


def still(start: datetime, end: datetime, price: int) -> Leg:
    """Return a step in which nothing happens."""
    return Leg((Move(start, end, price, price, is_rising=False),), 0)


def legs_of(script: Script, before: int) -> Iterator[Leg]:
    """Yield the steps of a script in time; `before` is the last price when it starts."""
    at, last = script.starts_market_at, before
    for step in script.steps:
        yield Leg(tuple(_moves(step, at, last)), step.volume)
        at, last = at + step.length, step.price


def _moves(step: Step, at: datetime, last: int) -> Iterator[Move]:
    length = step.length
    first = last if step.open is None else step.open
    if step.high is None and step.low is None:
        yield Move(at, at + length, first, step.price, is_rising=step.price > first)
        return
    prices = (first, step.price)
    high = max(prices) if step.high is None else max(*prices, step.high)
    low = min(prices) if step.low is None else min(*prices, step.low)
    yield from moves_of(Bar(at, first, high, low, step.price, step.volume), length)


def bar_of(start: datetime, moves: list[Move], volume: int) -> Bar:
    """Return the bar that a path makes: `moves` are those of one minute, oldest first."""
    prices = [price for move in moves for price in (move.start_price, move.end_price)]
    return Bar(start, prices[0], max(prices), min(prices), prices[-1], volume)
