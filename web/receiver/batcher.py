"""Lets requests that arrive together share one commit: what waits while a batch is written is the next batch."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_LEAST, _MOST = 32, 500  # items of a batch: half of those that wait, and they are answered while others are written


class Batcher(Generic[Item, Result]):
    """Writes items in the order of their arrival, in batches, one batch at a time.

    `write` returns one result for each item; an error of it is raised to every waiter of the batch. After `timeout_s`
    a waiter gets TimeoutError, and its item is taken back if its batch has not begun.
    """

    def __init__(self, write: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], timeout_s: float = inf) -> None:
        self._write = write
        self._timeout_s = timeout_s
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: list[_Waiter[Item, Result]] = []
        self._written: list[_Waiter[Item, Result]] = []  # those of the batch that is being written
        self._writer: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Return the result of an item once its batch is written.

        A waiter that is cancelled before its batch begins takes its item back.
        """
        loop = asyncio.get_running_loop()
        waiter = _Waiter[Item, Result](item, loop.create_future(), loop.time() + self._timeout_s)
        self._waiting.append(waiter)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        if self._timer is None and waiter.due_at < inf:
            self._timer = loop.call_at(waiter.due_at, self._end_late_waits)
        return await waiter.future

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                most = min(max(_LEAST, len(self._waiting) // 2), _MOST)
                batch, self._waiting = self._waiting[:most], self._waiting[most:]
                self._written = [one for one in batch if not one.future.done()]
                await self._write_batch(self._written)
        finally:
            self._writer = None
            for one in self._written:
                if not one.future.done():  # the writer was cancelled: it is not known whether it has written them
                    one.future.set_exception(TimeoutError())
            self._written = []

    async def _write_batch(self, batch: "Sequence[_Waiter[Item, Result]]") -> None:
        if not batch:
            return
        try:
            results = await self._write([one.item for one in batch])
        except Exception as error:  # noqa: BLE001  # each waiter handles it
            for one in batch:
                if not one.future.done():
                    one.future.set_exception(error)
            return
        for one, result in zip(batch, results, strict=True):
            if not one.future.done():
                one.future.set_result(result)

    def _end_late_waits(self) -> None:
        """End the waits that are over, and come again for the next one: one timer for all costs less than one each."""
        loop = asyncio.get_running_loop()
        now, next_at = loop.time(), None
        for one in (*self._written, *self._waiting):  # in the order of their arrival
            if one.future.done():
                continue
            if one.due_at > now:
                next_at = one.due_at
                break
            one.future.set_exception(TimeoutError())
        self._timer = None if next_at is None else loop.call_at(next_at, self._end_late_waits)


class _Waiter(Generic[Item, Result]):
    """An item, who waits for its result, and until when by the loop's clock."""

    __slots__ = ("due_at", "future", "item")

    def __init__(self, item: Item, future: "asyncio.Future[Result]", due_at: float) -> None:
        self.item = item
        self.future = future
        self.due_at = due_at
