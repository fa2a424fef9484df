"""Batches: items that come while one is written are the next; each waiter gets its result, or its batch's error."""

import asyncio
from collections.abc import Sequence

import pytest

from web.receiver.batcher import Batcher


def test_what_waits_while_a_batch_is_written_is_the_next_batch() -> None:
    batches: list[list[int]] = []
    has_begun = asyncio.Event()

    async def write(items: Sequence[int]) -> list[str]:
        batches.append(list(items))
        has_begun.set()
        await asyncio.sleep(0)
        return [str(item) for item in items]

    async def run() -> list[str]:
        batcher = Batcher(write)
        first = asyncio.create_task(batcher.submit(0))
        await has_begun.wait()
        return [*await asyncio.gather(*map(batcher.submit, range(1, 5))), await first]

    assert ["1", "2", "3", "4", "0"] == asyncio.run(run())
    assert [[0], [1, 2, 3, 4]] == batches


def test_an_error_is_that_of_its_batch_alone() -> None:
    async def write(items: Sequence[int]) -> list[int]:
        if 1 in items:
            raise ValueError("one")
        return list(items)

    async def run() -> None:
        batcher = Batcher(write)
        with pytest.raises(ValueError, match="one"):
            await batcher.submit(1)
        assert 2 == await batcher.submit(2)

    asyncio.run(run())


class HeldWrites:
    """Writes items once it may, and keeps them."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.may_write = asyncio.Event()

    async def write(self, items: Sequence[int]) -> list[int]:
        await self.may_write.wait()
        self.written.extend(items)
        return list(items)


def test_a_waiter_that_has_gone_takes_its_item_back() -> None:
    held = HeldWrites()

    async def run() -> None:
        batcher = Batcher(held.write)
        first = asyncio.create_task(batcher.submit(1))
        second = asyncio.create_task(batcher.submit(2))
        third = asyncio.create_task(batcher.submit(3))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        late = asyncio.create_task(batcher.submit(4))
        await asyncio.sleep(0)
        late.cancel()
        await asyncio.sleep(0)
        held.may_write.set()
        await asyncio.gather(first, second, third)
        assert 5 == await batcher.submit(5)

    asyncio.run(run())
    assert [1, 2, 3, 5] == held.written


def test_a_wait_ends_after_the_timeout_and_an_item_of_no_batch_is_taken_back() -> None:
    held = HeldWrites()

    async def run() -> None:
        batcher = Batcher(held.write, timeout_s=0.01)
        waits = [asyncio.create_task(batcher.submit(1))]
        await asyncio.sleep(0)
        waits += [asyncio.create_task(batcher.submit(2)), asyncio.create_task(batcher.submit(3))]
        assert [TimeoutError] * 3 == [type(one) for one in await asyncio.gather(*waits, return_exceptions=True)]
        held.may_write.set()
        assert 4 == await Batcher(held.write, timeout_s=100).submit(4)
        assert 5 == await batcher.submit(5)

    asyncio.run(run())
    assert [1, 4, 5] == held.written


def test_a_writer_that_is_cancelled_ends_the_waits_for_its_batch() -> None:
    async def write(_: Sequence[int]) -> list[int]:
        raise asyncio.CancelledError

    async def run() -> None:
        with pytest.raises(TimeoutError):
            await Batcher(write).submit(1)

    asyncio.run(run())


def test_a_long_line_is_written_in_large_batches() -> None:
    batches: list[int] = []

    async def write(items: Sequence[int]) -> list[int]:
        batches.append(len(items))
        return list(items)

    async def run() -> None:
        batcher = Batcher(write)
        await asyncio.gather(*map(batcher.submit, range(1200)))

    asyncio.run(run())
    assert [500, 350, 175, 87, 44, 32, 12] == batches
