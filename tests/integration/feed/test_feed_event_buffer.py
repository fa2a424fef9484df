"""The queue of user hub events, in front of a real ledger."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from shared.clock import machine_now
from shared.db.engine import make_async_engine
from shared.ledger.async_ledger import AsyncLedger
from shared.ledger.jobs.orders import ApplyExecutionReports
from shared.ledger.publisher import open_async_publisher
from workers.feed.event_buffer import EventBuffer


@asynccontextmanager
async def open_ledger(database_url: str, redis_url: str) -> AsyncIterator[AsyncLedger]:
    ledger = AsyncLedger(make_async_engine(database_url, program="test", pool_size=1), open_async_publisher(redis_url))
    try:
        yield ledger
    finally:
        await ledger.close()


def execution_report(fill: dict[str, Any]) -> ApplyExecutionReports:
    return ApplyExecutionReports(account_id=1, reported_at=machine_now(), fills=[fill])


def read_keys(database_url: str) -> list[str]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        rows = connection.execute("SELECT idempotency_key FROM job_key ORDER BY job_id").fetchall()
    return [str(key) for (key,) in rows]


async def run_until(event_buffer: EventBuffer, condition: Callable[[], bool]) -> None:
    running = asyncio.create_task(event_buffer.run())
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  # Postgres has no event for it
            await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def run_until_empty(event_buffer: EventBuffer) -> None:
    await run_until(event_buffer, lambda: event_buffer.waiting_count == 0)


def test_a_job_that_cannot_be_stored_blocks_no_other_and_causes_a_reconcile(database_url: str, redis_url: str) -> None:
    async def test() -> None:
        async with open_ledger(database_url, redis_url) as ledger:
            event_buffer = EventBuffer(ledger)
            event_buffer.put("fill:1", execution_report({"id": 1}))
            event_buffer.put("fill:2", execution_report({"id": "\x00"}))  # Postgres rejects it in text
            event_buffer.put("fill:3", execution_report({"id": 3}))
            await run_until(event_buffer, lambda: len(read_keys(database_url)) >= 4)
            assert 1 == event_buffer.lost_count

    asyncio.run(test())
    stored_keys = read_keys(database_url)
    assert ["fill:1", "fill:3"] == stored_keys[:2]
    assert [True, True] == [stored_keys[2].startswith("feed:snapshot"), stored_keys[3].startswith("feed:reconcile")]


def test_jobs_beyond_the_capacity_are_dropped_and_cause_a_reconcile(database_url: str, redis_url: str) -> None:
    async def test() -> None:
        async with open_ledger(database_url, redis_url) as ledger:
            event_buffer = EventBuffer(ledger, max_waiting=2)
            for number in range(5):
                event_buffer.put(f"fill:{number}", execution_report({"id": number}))
            assert (2, 3) == (event_buffer.waiting_count, event_buffer.lost_count)
            await run_until(event_buffer, lambda: len(read_keys(database_url)) >= 4)

    asyncio.run(test())
    assert ["fill:0", "fill:1"] == read_keys(database_url)[:2]


def test_an_event_received_twice_or_by_two_feeds_is_one_job(database_url: str, redis_url: str) -> None:
    async def test() -> None:
        async with open_ledger(database_url, redis_url) as one, open_ledger(database_url, redis_url) as other:
            buffers = [EventBuffer(one), EventBuffer(other)]
            for event_buffer in buffers:
                for _ in range(2):
                    event_buffer.put("fill:7", execution_report({"id": 7}))
            await asyncio.gather(*(run_until_empty(event_buffer) for event_buffer in buffers))

    asyncio.run(test())
    assert ["fill:7"] == read_keys(database_url)
