"""A scripted price path of one contract, and the one-minute bars that follow from it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.domain.market_data.bar import MINUTE, Bar
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
    """A step placed in time: its moves, and the volume traded during them. It ends early if it is `cut_at`."""

    moves: tuple[Move, ...]
    volume: int
    cut_at: datetime | None = None

    @property
    def start(self) -> datetime:
        """The start of the step."""
        return self.moves[0].start

    @property
    def end(self) -> datetime:
        """The end of the step, which is the start of the next."""
        return self.cut_at or self.moves[-1].end

    def part_before(self, at: datetime) -> "Leg":
        """Return the part of the step before an instant after its start. Its prices and volumes stay as they are."""
        return self if self.end <= at else replace(self, cut_at=at)

    def moves_in(self, minute: datetime) -> Iterator[Move]:
        """Yield the moves inside a minute."""
        return moves_until(self.moves, minute, self.end)

    def volume_in(self, start: datetime, end: datetime) -> int:
        """Return the volume traded in [start, end); the parts of a step add up to its volume."""
        length = (self.moves[-1].end - self.start) // _MICROSECOND
        since, until = ((min(max(at, self.start), self.end) - self.start) // _MICROSECOND for at in (start, end))
        return self.volume * until // length - self.volume * since // length


_MICROSECOND = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)


def moves_until(path: Iterable[Move], minute: datetime, cut_at: datetime) -> Iterator[Move]:
    """Yield the moves of a path that are inside a minute and before `cut_at`.

    A cut move comes in pieces of a second: a shorter move rounds its prices otherwise, and so the seconds before the
    cut keep their prices.
    """
    end = minute + MINUTE
    for whole in path:
        if whole.end <= minute or whole.start >= min(end, cut_at):
            continue
        move = whole.clip(minute, end)
        if move.end <= cut_at:
            yield move
            continue
        at = move.start
        while at < cut_at:
            until = min(at.replace(microsecond=0) + _SECOND, cut_at)
            yield move.clip(at, until)
            at = until


def flat_leg(start: datetime, end: datetime, price: int, *, is_rising: bool) -> Leg:
    """Return a step without a price change and without volume; `is_rising` is that of the move before it.

    It tells on which side of the quote the last trade was, so the best prices stay too.
    """
    return Leg((Move(start, end, price, price, is_rising=is_rising),), 0)


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
