"""The order book around a quote: levels that follow from the price alone, and the changes a new quote makes."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum

LEVELS = 60  # a side; the venue's first snapshots are far above 10 KB


class DepthType(IntEnum):
    """The type of a depth entry (venue.md section 6)."""

    ASK = 1
    BID = 2
    RESET = 6
    NEW_BEST_BID = 9
    NEW_BEST_ASK = 10


Entry = dict[str, object]
Level = tuple[DepthType, int]  # a side, and its price in ticks


@dataclass(frozen=True, slots=True)
class Ladder:
    """The levels around a quote, in ticks."""

    bid: int
    ask: int

    def levels(self) -> list[Level]:
        """Return both sides, the best of each first."""
        bids = [(DepthType.BID, self.bid - step) for step in range(LEVELS)]
        return [*bids, *((DepthType.ASK, self.ask + step) for step in range(LEVELS))]


def make_snapshot(ladder: Ladder, tick_size: Decimal, at: datetime) -> list[Entry | None]:
    """Return the entries for a new subscriber: a reset, then every level."""
    levels = (_make_entry(dom, price * tick_size, _size_at(price), at) for dom, price in ladder.levels())
    return pad_with_nulls([_make_entry(DepthType.RESET, Decimal(0), 0, at), *levels])


def diff_ladders(before: Ladder, after: Ladder, tick_size: Decimal, at: datetime) -> list[Entry | None]:
    """Return the entries from one ladder to the next: removed levels, new levels, new best prices."""
    old, new = before.levels(), after.levels()
    old_set, new_set = set(old), set(new)
    entries = [_make_entry(dom, price * tick_size, 0, at) for dom, price in old if (dom, price) not in new_set]
    entries += [
        _make_entry(dom, price * tick_size, _size_at(price), at) for dom, price in new if (dom, price) not in old_set
    ]
    for dom, old_best, best in (
        (DepthType.NEW_BEST_BID, before.bid, after.bid),
        (DepthType.NEW_BEST_ASK, before.ask, after.ask),
    ):
        if old_best != best:
            entries.append(_make_entry(dom, best * tick_size, _size_at(best), at))
    return pad_with_nulls(entries)


def pad_with_nulls(entries: list[Entry]) -> list[Entry | None]:
    """Return the entries padded with nulls to a power of two, as the venue sends them."""
    length = 1 << max(0, len(entries) - 1).bit_length()
    return [*entries, *[None] * (length - len(entries))]


def _make_entry(dom: DepthType, price: Decimal, volume: int, at: datetime) -> Entry:
    return {"timestamp": at.isoformat(), "type": dom, "price": price, "volume": volume, "currentVolume": volume}


def _size_at(price: int) -> int:
    return 3 + price * 7919 % 37
