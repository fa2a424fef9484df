"""What the user hub told, on its way into a real ledger."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from shared.clock import machine_now
from shared.db.engine import make_async_engine
from shared.ledger.async_ledger import AsyncLedger
from shared.ledger.jobs.orders import ApplyExecutionReports
from shared.ledger.wake import open_async_wake
from workers.feed.outbox import Outbox


@asynccontextmanager
async def intake_to(database_url: str, redis_url: str) -> AsyncIterator[AsyncLedger]:
    ledger = AsyncLedger(make_async_engine(database_url, program="test", pool_size=1), open_async_wake(redis_url))
    try:
        yield ledger
    finally:
        await ledger.close()


def told(fill: dict[str, Any]) -> ApplyExecutionReports:
    return ApplyExecutionReports(account_id=1, reported_at=machine_now(), fills=[fill])


def keys(database_url: str) -> list[str]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        rows = connection.execute("SELECT idempotency_key FROM job_key ORDER BY job_id").fetchall()
    return [str(key) for (key,) in rows]


async def run_until(outbox: Outbox, condition: Callable[[], bool]) -> None:
    running = asyncio.create_task(outbox.run())
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  # Postgres tells nobody
            await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def run_until_empty(outbox: Outbox) -> None:
    await run_until(outbox, lambda: outbox.waiting_count == 0)


def test_what_cannot_be_kept_holds_up_nothing_and_is_left_to_a_reconcile(database_url: str, redis_url: str) -> None:
    async def test() -> None:
        async with intake_to(database_url, redis_url) as ledger:
            outbox = Outbox(ledger)
            outbox.put("fill:1", told({"id": 1}))
            outbox.put("fill:2", told({"id": "\x00"}))  # no text for Postgres
            outbox.put("fill:3", told({"id": 3}))
            await run_until(outbox, lambda: len(keys(database_url)) >= 4)
            assert 1 == outbox.lost_count

    asyncio.run(test())
    kept = keys(database_url)
    assert ["fill:1", "fill:3"] == kept[:2]
    assert [True, True] == [kept[2].startswith("feed:snapshot"), kept[3].startswith("feed:reconcile")]


def test_what_there_is_no_room_for_is_left_to_a_reconcile(database_url: str, redis_url: str) -> None:
    async def test() -> None:
        async with intake_to(database_url, redis_url) as ledger:
            outbox = Outbox(ledger, most_waiting=2)
            for number in range(5):
                outbox.put(f"fill:{number}", told({"id": number}))
            assert (2, 3) == (outbox.waiting_count, outbox.lost_count)
            await run_until(outbox, lambda: len(keys(database_url)) >= 4)

    asyncio.run(test())
    assert ["fill:0", "fill:1"] == keys(database_url)[:2]


def test_the_same_event_told_twice_or_to_two_feeds_is_one_job(database_url: str, redis_url: str) -> None:
    async def test() -> None:
        async with intake_to(database_url, redis_url) as one, intake_to(database_url, redis_url) as other:
            boxes = [Outbox(one), Outbox(other)]
            for outbox in boxes:
                for _ in range(2):
                    outbox.put("fill:7", told({"id": 7}))
            await asyncio.gather(*(run_until_empty(outbox) for outbox in boxes))

    asyncio.run(test())
    assert ["fill:7"] == keys(database_url)
