"""The newest bars of each contract and timeframe in Redis, packed, and kept in memory by each process that reads them.

A block is used only while the contract's stamp is the one that it was written with: a change of older bars gives the
contract a new stamp. Losing all of it costs time, nothing else.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import redis

from shared.domain.market_data.bar_columns import BarColumns, seconds_of, time_of
from shared.domain.market_data.bar_packing import PackedBars, pack, unpack
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.timeframe import Timeframe
from shared.hot.connection import CircuitBreaker, RedisUnavailableError

# Twice the time until the next bar of a minute is stored: after one minute it would end just when it is needed.
EXPIRES_AFTER = timedelta(seconds=120)
MOST_BARS = 20_000
# The stamp, an id of this value, the start and end of the span, the revision, and what `PackedBars` has beside data.
_HEADER = struct.Struct("<16s16sqqqqqB")
_CHANGING = b"changing".ljust(16)
_NO_STAMP = bytes(16)
_MOST_IN_MEMORY = 64


@dataclass(frozen=True, slots=True, eq=False)
class BarBlock:
    """All bars of a timeframe that start in `span` and have closed by its end: none is missing.

    `revision` is that of the contract's bars when they were read from Postgres.
    """

    bars: BarColumns
    span: Span
    revision: int


@dataclass(frozen=True, slots=True)
class Found:
    """What Redis has: the contract's stamp, None if no block may be written now, and the block, if it may be used."""

    stamp: bytes | None
    block: BarBlock | None = None
    was_in_memory: bool = False


class RecentBars:
    """Reads and writes blocks of bars of one market; while Redis does not answer there are none."""

    def __init__(self, client: "redis.Redis", breaker: CircuitBreaker, market: str) -> None:
        """`client` returns bytes; `market` is unique for each database that bars are stored in."""
        self._client = client
        self._market = market
        self._breaker = breaker
        self._memory: dict[str, tuple[bytes, BarBlock]] = {}

    def read(self, contract_id: str, timeframe: Timeframe) -> Found:
        """Return the block of a contract and timeframe, if there is one that may be used."""
        key = self._block_key(contract_id, timeframe)
        header, known = self._memory.get(key, (b"", None))
        last = _HEADER.size - 1 if known is not None else -1
        try:
            with self._breaker.guard():
                stamp, value = self._get(contract_id, key, last)
                if known is not None and value and value != header:
                    stamp, value = self._get(contract_id, key, -1)
        except RedisUnavailableError:
            return Found(stamp=None)
        if stamp == _CHANGING:
            return Found(stamp=None)
        if not value or value[:16] != stamp:
            return Found(stamp)
        if known is not None and value == header:
            return Found(stamp, known, was_in_memory=True)
        block = _decode(value)
        if len(self._memory) >= _MOST_IN_MEMORY:
            self._memory.clear()
        self._memory[key] = (value[: _HEADER.size], block)
        return Found(stamp, block)

    def write(self, contract_id: str, timeframe: Timeframe, block: BarBlock, stamp: bytes) -> None:
        """Write a block of what was read after `stamp` was, unless it is empty: the newest MOST_BARS bars of it."""
        if not len(block.bars):
            return
        with suppress(RedisUnavailableError), self._breaker.guard():
            self._client.set(self._block_key(contract_id, timeframe), _encode(_limit(block), stamp), px=EXPIRES_AFTER)

    @contextmanager
    def change(self, contract_id: str) -> "Iterator[BarChange]":
        """Hold a change of the contract's older bars, which is to be begun before it is committed.

        After an error it is not known whether it was committed: no block is used until the mark of the change expires.
        """
        change = BarChange(self, contract_id)
        yield change
        if change.has_begun:
            self.forget(contract_id)

    def forget(self, contract_id: str) -> None:
        """Make all blocks of the contract that are there useless."""
        self.put_stamp(contract_id, uuid4().bytes)

    def put_stamp(self, contract_id: str, stamp: bytes) -> None:
        """Give a contract a stamp: only blocks that are written with it are used."""
        with suppress(RedisUnavailableError), self._breaker.guard():
            self._client.set(self._stamp_key(contract_id), stamp, px=2 * EXPIRES_AFTER)

    def _get(self, contract_id: str, key: str, last: int) -> tuple[bytes, bytes]:
        pipeline = self._client.pipeline(transaction=False)
        pipeline.get(self._stamp_key(contract_id))
        pipeline.getrange(key, 0, last)
        stamp, value = pipeline.execute()
        return stamp or _NO_STAMP, value

    def _block_key(self, contract_id: str, timeframe: Timeframe) -> str:
        return f"tickwork:bars:{self._market}:{contract_id}:{timeframe}"

    def _stamp_key(self, contract_id: str) -> str:
        return f"tickwork:bars_stamp:{self._market}:{contract_id}"


class BarChange:
    """A change of older bars, which is not committed yet."""

    def __init__(self, recent: RecentBars, contract_id: str) -> None:
        self._recent = recent
        self._contract_id = contract_id
        self.has_begun = False

    def begin(self) -> None:
        """Make the blocks of the contract useless until the change has ended."""
        self.has_begun = True
        self._recent.put_stamp(self._contract_id, _CHANGING)


def _limit(block: BarBlock) -> BarBlock:
    if len(block.bars) <= MOST_BARS:
        return block
    bars = block.bars[-MOST_BARS:]
    return BarBlock(bars, Span(time_of(int(bars.seconds[0])), block.span.end), block.revision)


def _encode(block: BarBlock, stamp: bytes) -> bytes:
    packed, span = pack(block.bars), (seconds_of(block.span.start), seconds_of(block.span.end))
    header = _HEADER.pack(
        stamp, uuid4().bytes, *span, block.revision, packed.first_second, packed.first_open, packed.value_bytes
    )
    return header + packed.data


def _decode(value: bytes) -> BarBlock:
    _, _, start, end, revision, first_second, first_open, value_bytes = _HEADER.unpack_from(value)
    packed = PackedBars(first_second, first_open, value_bytes, value[_HEADER.size :])
    return BarBlock(unpack(packed), Span(time_of(start), time_of(end)), revision)
