"""The trades of a bar: prints along the path of its price that add up to it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.orders.matching import Move

PRINTS_A_MINUTE = 240
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Print:
    """One trade: instant, price in ticks, volume in contracts, and whether the buyer was the aggressor."""

    at: datetime
    price_ticks: int
    volume: int
    is_buyer: bool


def prints_on(path: Sequence[Move], volume: int, most: int) -> Iterator[Print]:
    """Yield the prints of a price path, oldest first, along which `volume` is traded evenly.

    There are about `most`, and no more than the volume; each turning point has one, with volume 0 if the volume is too
    small for all.
    """
    turns = _turning_marks(path)
    between = list(_evenly_spaced_marks(path, min(most, volume) - len(turns)))
    # At the same instant the turning point comes last, so that the last print is at the end of the path.
    marks = sorted([*between, *turns], key=lambda mark: mark[0])
    for index, (at, price, is_buyer) in enumerate(marks):
        share = volume * (index + 1) // len(marks) - volume * index // len(marks)
        yield Print(at, price, share, is_buyer)


def _turning_marks(path: Sequence[Move]) -> list[tuple[datetime, int, bool]]:
    """Return the points where the path begins, turns, jumps and ends, without repeated prices."""
    ends = [move.start_price for move in path[1:]]
    found: list[tuple[datetime, int, bool]] = []
    for move, next_price in zip(path, [*ends, None], strict=True):
        marks = [(move.start, move.start_price)]
        if move.end_price != next_price:
            marks.append((max(move.start, move.end - _MICROSECOND), move.end_price))
        for at, price in marks:
            if not found or found[-1][1] != price:
                found.append((at, price, move.is_rising))
    return found


def _evenly_spaced_marks(path: Sequence[Move], count: int) -> Iterator[tuple[datetime, int, bool]]:
    start, length = path[0].start, path[-1].end - path[0].start
    moves = iter(path)
    move = next(moves)
    for number in range(1, count + 1):
        at = start + length * number // (count + 1)
        while at >= move.end:
            move = next(moves)
        yield at, move.price_at(at), move.is_rising
