"""The order book around a quote: levels that follow from the price alone, their changes, and the trades."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from shared.domain.market_data.contract import Contract
from simulator.market.tape import Print

LEVELS = 60  # a side; the venue's first snapshots are far above 10 KB


class DepthType(IntEnum):
    """The type of a depth entry (venue.md section 6); 1, 2 and 6 make the book, the others tell about the market."""

    ASK = 1
    BID = 2
    BEST_ASK = 3
    BEST_BID = 4
    TRADE = 5
    RESET = 6
    LOW = 7
    HIGH = 8
    NEW_BEST_BID = 9
    NEW_BEST_ASK = 10
    FILL = 11


_LEVELS_OF_BOOK = {DepthType.ASK, DepthType.BID}
Entry = dict[str, object]
Level = tuple[DepthType, int]  # a side, and its price in ticks


@dataclass(frozen=True, slots=True)
class Ladder:
    """The levels around a quote, and the session's extremes, in ticks."""

    bid: int
    ask: int
    low: int
    high: int

    def levels(self) -> list[Level]:
        """Return both sides, the best of each first."""
        bids = [(DepthType.BID, self.bid - step) for step in range(LEVELS)]
        return [*bids, *((DepthType.ASK, self.ask + step) for step in range(LEVELS))]


def make_snapshot(contract: Contract, ladder: Ladder, at: datetime) -> list[Entry | None]:
    """Return the entries for a new subscriber: a reset, every level, the best prices and the session's extremes."""
    return pad_with_nulls(
        [
            _make_entry(contract, DepthType.RESET, 0, 0, at),
            *(_make_entry(contract, kind, price, _size_at(price), at) for kind, price in ladder.levels()),
            *_best_entries(contract, ladder, at),
            _make_entry(contract, DepthType.LOW, ladder.low, 0, at),
            _make_entry(contract, DepthType.HIGH, ladder.high, 0, at),
        ]
    )


def make_changes(
    contract: Contract, before: Ladder, after: Ladder, prints: Iterable[Print], at: datetime
) -> list[Entry | None]:
    """Return the entries from one ladder to the next: trades, removed and new levels, best prices, new extremes.

    [SIM] A best price that was traded away has a fill; the best prices come again after trades.
    """
    entries = [
        _make_entry(contract, DepthType.TRADE, print_.price_ticks, print_.volume, print_.at) for print_ in prints
    ]
    has_traded = bool(entries)
    if before != after:
        entries += _change_entries(contract, before, after, at)
    if has_traded:
        entries += _best_entries(contract, after, at)
    return pad_with_nulls(entries) if entries else []


def pad_with_nulls(entries: list[Entry]) -> list[Entry | None]:
    """Return the entries padded with nulls to a power of two, as the venue sends them."""
    length = 1 << max(0, len(entries) - 1).bit_length()
    return [*entries, *[None] * (length - len(entries))]


def _change_entries(contract: Contract, before: Ladder, after: Ladder, at: datetime) -> Iterator[Entry]:
    old, new = before.levels(), after.levels()
    old_set, new_set = set(old), set(new)
    for kind, price in old:
        if (kind, price) not in new_set:
            yield _make_entry(contract, kind, price, 0, at)
    for kind, price in new:
        if (kind, price) not in old_set:
            yield _make_entry(contract, kind, price, _size_at(price), at)
    if after.bid < before.bid:
        yield _make_entry(contract, DepthType.FILL, before.bid, _size_at(before.bid), at)
    if after.ask > before.ask:
        yield _make_entry(contract, DepthType.FILL, before.ask, _size_at(before.ask), at)
    for kind, price_before, price in (
        (DepthType.NEW_BEST_BID, before.bid, after.bid),
        (DepthType.NEW_BEST_ASK, before.ask, after.ask),
        (DepthType.LOW, before.low, after.low),
        (DepthType.HIGH, before.high, after.high),
    ):
        if price != price_before:
            yield _make_entry(contract, kind, price, _size_at(price), at)


def _best_entries(contract: Contract, ladder: Ladder, at: datetime) -> list[Entry]:
    return [
        _make_entry(contract, kind, price, _size_at(price), at)
        for kind, price in ((DepthType.BEST_BID, ladder.bid), (DepthType.BEST_ASK, ladder.ask))
    ]


def _make_entry(contract: Contract, kind: DepthType, price: int, volume: int, at: datetime) -> Entry:
    return {
        "contractId": contract.id,
        "timestamp": at.isoformat(),
        "type": kind,
        "price": price * contract.tick_size,
        "volume": volume,
        "currentVolume": volume if kind in _LEVELS_OF_BOOK else 0,
    }


def _size_at(price: int) -> int:
    return 3 + price * 7919 % 37
