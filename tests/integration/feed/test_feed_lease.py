"""The lease that makes one of several feeds the active one."""

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
async def open_two_leases(redis_url: str) -> AsyncIterator[tuple[FeedLease, FeedLease]]:
    one, other = FeedLease(redis_url, VENUE), FeedLease(redis_url, VENUE)
    try:
        yield one, other
    finally:
        await one.release()
        await other.release()


@pytest.fixture
def long_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no lease end during the test, even on a slow computer."""
    monkeypatch.setattr(feed_lease, "LEASE_DURATION", timedelta(minutes=10))


@pytest.mark.usefixtures("long_lease")
def test_one_feed_holds_the_lease_until_it_releases_it_and_each_holder_has_its_own_fence(redis_url: str) -> None:
    async def test() -> None:
        async with open_two_leases(redis_url) as (one, other):
            assert (True, False) == (await one.acquire_or_renew(), await other.acquire_or_renew())
            assert (True, 1) == (await one.acquire_or_renew(), one.fence)
            await one.release()
            assert (True, 2) == (await other.acquire_or_renew(), other.fence)

    asyncio.run(test())


def test_a_holder_that_does_not_renew_is_replaced_and_sees_it(redis_url: str) -> None:
    async def test() -> None:
        async with open_two_leases(redis_url) as (one, other):
            await one.acquire_or_renew()
            async with asyncio.timeout(30):
                while not await other.acquire_or_renew():  # noqa: ASYNC110  # Redis has no event for it
                    await asyncio.sleep(0.1)
            assert not await one.acquire_or_renew()
            assert not one.is_held

    asyncio.run(test())


@pytest.mark.usefixtures("long_lease")
def test_while_redis_does_not_answer_the_active_feed_goes_on_and_no_other_starts(redis_url: str) -> None:
    async def test() -> None:
        async with open_two_leases(redis_url) as (one, other):
            await one.acquire_or_renew()
            with redis.Redis.from_url(redis_url) as client:
                client.execute_command("CLIENT", "PAUSE", 3000, "ALL")
            assert [True, False] == list(await asyncio.gather(one.acquire_or_renew(), other.acquire_or_renew()))

    asyncio.run(test())
