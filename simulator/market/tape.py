"""The trades behind a bar: prints that walk the path of its price and add up to it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.market_data.bar import Bar
from shared.domain.orders.matching import Move, moves_of

PRINTS_A_MINUTE = 240
_LEAST = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Print:
    """One trade: when, at what price in ticks, how many contracts, and whether the buyer took it."""

    at: datetime
    price_ticks: int
    volume: int
    is_buyer: bool


def prints_of(bar: Bar, path: Sequence[Move] | None = None, most: int = PRINTS_A_MINUTE) -> Iterator[Print]:
    """Yield the prints of a bar, oldest first: aggregated they are the bar again.

    `path` is how the market goes through the bar, by default as any bar does. There are about `most`, and no more than
    the bar has volume; where the path turns there always is one, with volume 0 if there is too little for all.
    """
    return prints_on(path or tuple(moves_of(bar)), bar.volume, most)


def prints_on(path: Sequence[Move], volume: int, most: int) -> Iterator[Print]:
    """Yield the prints of a path of the price, along which `volume` is traded evenly."""
    turns = _turns(path)
    between = list(_between(path, min(most, volume) - len(turns)))
    # At the same instant the turn comes last, so that the last print is where the path ends.
    marks = sorted([*between, *turns], key=lambda mark: mark[0])
    for index, (at, price, is_buyer) in enumerate(marks):
        share = volume * (index + 1) // len(marks) - volume * index // len(marks)
        yield Print(at, price, share, is_buyer)


def _turns(path: Sequence[Move]) -> list[tuple[datetime, int, bool]]:
    """Return where the path begins, turns, jumps and ends; a turn that changes no price is none."""
    ends = [move.start_price for move in path[1:]]
    found: list[tuple[datetime, int, bool]] = []
    for move, next_price in zip(path, [*ends, None], strict=True):
        marks = [(move.start, move.start_price)]
        if move.end_price != next_price:
            marks.append((max(move.start, move.end - _LEAST), move.end_price))
        for at, price in marks:
            if not found or found[-1][1] != price:
                found.append((at, price, move.is_rising))
    return found


def _between(path: Sequence[Move], count: int) -> Iterator[tuple[datetime, int, bool]]:
    start, length = path[0].start, path[-1].end - path[0].start
    moves = iter(path)
    move = next(moves)
    for number in range(1, count + 1):
        at = start + length * number // (count + 1)
        while at >= move.end:
            move = next(moves)
        yield at, move.price_at(at), move.is_rising
