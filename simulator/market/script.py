"""A scripted price path of one contract, and the one-minute bars that follow from it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.domain.market_data.bar import Bar
from shared.domain.orders.matching import Move, moves_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a script, in ticks: the price moves straight to `price` within `seconds` of market time.

    With `open` it starts there instead of at the last price: `open` equal to `price` is a jump. With `high` or `low` it
    follows the path of a bar that closes at `price`. `volume` trades evenly over the step.
    """

    price: int
    seconds: float
    open: int | None = None
    high: int | None = None
    low: int | None = None
    volume: int = 0

    @property
    def length(self) -> timedelta:
        """The duration in market time."""
        return timedelta(seconds=self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The price path of a contract from `starts_market_at` on; after the last step the price stays."""

    contract_id: str
    starts_market_at: datetime
    steps: list[Step] = field(default_factory=list)

    @property
    def ends_market_at(self) -> datetime:
        """The end of the last step."""
        return self.starts_market_at + sum((step.length for step in self.steps), timedelta())


@dataclass(frozen=True, slots=True)
class Leg:
    """A step placed in time: its moves, and the volume traded during them."""

    moves: tuple[Move, ...]
    volume: int

    @property
    def start(self) -> datetime:
        """The start of the step."""
        return self.moves[0].start

    @property
    def end(self) -> datetime:
        """The end of the step, which is the start of the next."""
        return self.moves[-1].end

    def until(self, at: datetime) -> "Leg":
        """Return the part of the step before an instant after its start."""
        if self.end <= at:
            return self
        moves = tuple(move.clipped(self.start, at) for move in self.moves if move.start < at)
        return Leg(moves, self.volume_in(self.start, at))

    def volume_in(self, start: datetime, end: datetime) -> int:
        """Return the volume traded in [start, end); the parts of a step add up to its volume."""
        length = (self.end - self.start) // _MICROSECOND
        since, until = ((min(max(at, self.start), self.end) - self.start) // _MICROSECOND for at in (start, end))
        return self.volume * until // length - self.volume * since // length


_MICROSECOND = timedelta(microseconds=1)


def flat_leg(start: datetime, end: datetime, price: int) -> Leg:
    """Return a step without a price change and without volume."""
    return Leg((Move(start, end, price, price, is_rising=False),), 0)


def legs_of(script: Script, before: int) -> Iterator[Leg]:
    """Yield the steps of a script, placed in time; `before` is the last price when it starts."""
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
    """Return the bar of a path; `moves` are those of one minute, oldest first."""
    prices = [price for move in moves for price in (move.start_price, move.end_price)]
    return Bar(start, prices[0], max(prices), min(prices), prices[-1], volume)
