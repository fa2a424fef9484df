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

import numpy as np
import redis

from shared.domain.market_data.bar_columns import BarColumns, columns_of, seconds_of, time_of
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.timeframe import Timeframe
from shared.hot.connection import CircuitBreaker, RedisUnavailableError

# Twice the time until the next bar of a minute is stored: after one minute it would end just when it is needed.
EXPIRES_AFTER = timedelta(seconds=120)
MOST_BARS = 20_000
_HEADER = struct.Struct("<16s16sqq")  # the stamp, an id of this value, the start and the end of the span
_CHANGING = b"changing".ljust(16)
_NO_STAMP = bytes(16)
_MOST_IN_MEMORY = 64


@dataclass(frozen=True, slots=True, eq=False)
class BarBlock:
    """All bars of a timeframe that start in `span` and have closed by its end: none is missing."""

    bars: BarColumns
    span: Span


@dataclass(frozen=True, slots=True)
class Found:
    """What Redis has: the contract's stamp, None if no block may be written now, and the block, if it may be used."""

    stamp: bytes | None
    block: BarBlock | None = None
    was_in_memory: bool = False


class RecentBars:
    """Reads and writes blocks of bars; while Redis does not answer there are none."""

    def __init__(self, client: "redis.Redis", breaker: CircuitBreaker) -> None:
        self._client = client  # one that returns bytes
        self._breaker = breaker
        self._memory: dict[str, tuple[bytes, BarBlock]] = {}

    def read(self, contract_id: str, timeframe: Timeframe) -> Found:
        """Return the block of a contract and timeframe, if there is one that may be used."""
        key = _block_key(contract_id, timeframe)
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
        """Write a block of what was read after `stamp` was; at most the newest MOST_BARS bars of it."""
        with suppress(RedisUnavailableError), self._breaker.guard():
            self._client.set(_block_key(contract_id, timeframe), _encode(_limit(block), stamp), px=EXPIRES_AFTER)

    @contextmanager
    def change(self, contract_id: str) -> "Iterator[BarChange]":
        """Hold a change of the contract's older bars, which is to be begun before it is committed."""
        change = BarChange(self, contract_id)
        try:
            yield change
        finally:
            if change.has_begun:
                self.put_stamp(contract_id, uuid4().bytes)

    def put_stamp(self, contract_id: str, stamp: bytes) -> None:
        """Give a contract a stamp, which makes all its blocks useless."""
        with suppress(RedisUnavailableError), self._breaker.guard():
            self._client.set(_stamp_key(contract_id), stamp, px=2 * EXPIRES_AFTER)

    def _get(self, contract_id: str, key: str, last: int) -> tuple[bytes, bytes]:
        pipeline = self._client.pipeline(transaction=False)
        pipeline.get(_stamp_key(contract_id))
        pipeline.getrange(key, 0, last)
        stamp, value = pipeline.execute()
        return stamp or _NO_STAMP, value


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


def _block_key(contract_id: str, timeframe: Timeframe) -> str:
    return f"tickwork:bars:{contract_id}:{timeframe}"


def _stamp_key(contract_id: str) -> str:
    return f"tickwork:bars_stamp:{contract_id}"


def _limit(block: BarBlock) -> BarBlock:
    if len(block.bars) <= MOST_BARS:
        return block
    bars = block.bars[-MOST_BARS:]
    return BarBlock(bars, Span(time_of(int(bars.seconds[0])), block.span.end))


def _encode(block: BarBlock, stamp: bytes) -> bytes:
    header = _HEADER.pack(stamp, uuid4().bytes, seconds_of(block.span.start), seconds_of(block.span.end))
    seconds, *prices, volume = block.bars.arrays
    return header + np.vstack([seconds, volume]).astype("<i8").tobytes() + np.vstack(prices).astype("<i4").tobytes()


def _decode(value: bytes) -> BarBlock:
    _, _, start, end = _HEADER.unpack_from(value)
    count = (len(value) - _HEADER.size) // 32
    seconds, volume = np.frombuffer(value, "<i8", 2 * count, _HEADER.size).reshape(2, count)
    prices = np.frombuffer(value, "<i4", 4 * count, _HEADER.size + 16 * count).reshape(4, count).astype(np.int64)
    return BarBlock(columns_of(np.vstack([seconds, prices, volume])), Span(time_of(start), time_of(end)))
