"""The order book around a quote: levels that follow from the price alone, and what a new quote changes of it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum

LEVELS = 60  # a side; the venue's first snapshots are far above 10 KB


class Dom(IntEnum):
    """What an entry of the depth says (venue.md section 6)."""

    ASK = 1
    BID = 2
    RESET = 6
    NEW_BEST_BID = 9
    NEW_BEST_ASK = 10


Entry = dict[str, object]
Level = tuple[Dom, int]  # a side, and its price in ticks


@dataclass(frozen=True, slots=True)
class Ladder:
    """The levels around a quote, in ticks."""

    bid: int
    ask: int

    def levels(self) -> list[Level]:
        """Return both sides, the best of each first."""
        bids = [(Dom.BID, self.bid - step) for step in range(LEVELS)]
        return [*bids, *((Dom.ASK, self.ask + step) for step in range(LEVELS))]


def snapshot(ladder: Ladder, tick_size: Decimal, at: datetime) -> list[Entry | None]:
    """Return what a new listener gets: a reset, then every level."""
    levels = (_entry(dom, price * tick_size, _size_at(price), at) for dom, price in ladder.levels())
    return padded([_entry(Dom.RESET, Decimal(0), 0, at), *levels])


def changes(before: Ladder, after: Ladder, tick_size: Decimal, at: datetime) -> list[Entry | None]:
    """Return what turns one ladder into another: levels that are gone, levels that are new, the new best prices."""
    old, new = before.levels(), after.levels()
    gone, here = set(old), set(new)
    entries = [_entry(dom, price * tick_size, 0, at) for dom, price in old if (dom, price) not in here]
    entries += [_entry(dom, price * tick_size, _size_at(price), at) for dom, price in new if (dom, price) not in gone]
    for dom, was, best in (
        (Dom.NEW_BEST_BID, before.bid, after.bid),
        (Dom.NEW_BEST_ASK, before.ask, after.ask),
    ):
        if was != best:
            entries.append(_entry(dom, best * tick_size, _size_at(best), at))
    return padded(entries)


def padded(entries: list[Entry]) -> list[Entry | None]:
    """Return entries as the venue sends them: in an array that is often longer, its rest null."""
    length = 1 << max(0, len(entries) - 1).bit_length()
    return [*entries, *[None] * (length - len(entries))]


def _entry(dom: Dom, price: Decimal, volume: int, at: datetime) -> Entry:
    return {"timestamp": at.isoformat(), "type": dom, "price": price, "volume": volume, "currentVolume": volume}


def _size_at(price: int) -> int:
    return 3 + price * 7919 % 37
