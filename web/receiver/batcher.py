"""Lets requests that arrive together share one commit: what waits while a batch is written is the next batch."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST = 500  # items of a batch


class Batcher(Generic[Item, Result]):
    """Writes items in the order of their arrival, in batches, one batch at a time.

    `write` returns one result for each item; an error of it is raised to every waiter of the batch.
    """

    def __init__(self, write: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]) -> None:
        self._write = write
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Return the result of an item once its batch is written.

        A waiter that is cancelled before its batch begins takes its item back.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        return await future

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                await self._write_batch([one for one in batch if not one[1].done()])
        finally:
            self._writer = None

    async def _write_batch(self, batch: Sequence[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        if not batch:
            return
        try:
            results = await self._write([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001  # each waiter handles it
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
