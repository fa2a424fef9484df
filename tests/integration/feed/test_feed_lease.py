"""Which of several feeds is the active one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import redis

from shared.config import VenueSettings
from shared.hot import feed_lease
from shared.hot.feed_lease import FeedLease

VENUE = VenueSettings(url="http://127.0.0.1:1", hubs_url="", user="a-trader", key="", is_simulator=True)


@asynccontextmanager
async def two(redis_url: str) -> AsyncIterator[tuple[FeedLease, FeedLease]]:
    one, other = FeedLease(redis_url, VENUE), FeedLease(redis_url, VENUE)
    try:
        yield one, other
    finally:
        await one.give_up()
        await other.give_up()


@pytest.fixture
def lasting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no lease end while a slow computer gets on with the test."""
    monkeypatch.setattr(feed_lease, "HELD_FOR", timedelta(minutes=10))


@pytest.mark.usefixtures("lasting")
def test_one_is_the_active_one_until_it_gives_up_and_each_holder_has_a_fence_of_its_own(redis_url: str) -> None:
    async def test() -> None:
        async with two(redis_url) as (one, other):
            assert (True, False) == (await one.renew_or_take(), await other.renew_or_take())
            assert (True, 1) == (await one.renew_or_take(), one.fence)
            await one.give_up()
            assert (True, 2) == (await other.renew_or_take(), other.fence)

    asyncio.run(test())


def test_who_does_not_renew_is_replaced_and_learns_of_it(redis_url: str) -> None:
    async def test() -> None:
        async with two(redis_url) as (one, other):
            await one.renew_or_take()
            async with asyncio.timeout(30):
                while not await other.renew_or_take():  # noqa: ASYNC110  # Redis tells nobody
                    await asyncio.sleep(0.1)
            assert not await one.renew_or_take()
            assert not one.is_held

    asyncio.run(test())


@pytest.mark.usefixtures("lasting")
def test_while_redis_does_not_answer_the_active_one_goes_on_and_nobody_else_begins(redis_url: str) -> None:
    async def test() -> None:
        async with two(redis_url) as (one, other):
            await one.renew_or_take()
            with redis.Redis.from_url(redis_url) as client:
                client.execute_command("CLIENT", "PAUSE", 3000, "ALL")
            assert [True, False] == list(await asyncio.gather(one.renew_or_take(), other.renew_or_take()))

    asyncio.run(test())
