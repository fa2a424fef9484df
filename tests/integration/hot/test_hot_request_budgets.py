"""What is left of the request budgets, as the figures have it, in a real Redis."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis

from shared.config import VenueSettings
from shared.fleets import Queue
from shared.hot.connection import connect
from shared.hot.rate_limit import SLOW_BARS, WINDOWS, RedisLimiter
from shared.hot.request_budgets import RequestBudgets
from tests.fixtures.processes import free_port

VENUE = VenueSettings(url="https://venue.test", hubs_url="", user="a-trader", key="a-secret-key", is_simulator=False)


@pytest.fixture
def limiter(redis_url: str) -> Iterator[RedisLimiter]:
    client: redis.Redis = connect(redis_url)
    yield RedisLimiter(client, VENUE)
    client.close()


def read_left(redis_url: str) -> dict[str, float]:
    async def read() -> dict[str, float]:
        budgets = RequestBudgets(redis_url, VENUE)
        try:
            return await budgets.read_left()
        finally:
            await budgets.close()

    return asyncio.run(read())


def send(limiter: RedisLimiter, budget: str, count: int) -> None:
    for _ in range(count):
        with limiter.count_request(budget, Queue.CRITICAL, is_exit=True):
            pass


def test_each_request_takes_its_part_of_its_budget_and_a_read_takes_none(redis_url: str, limiter: RedisLimiter) -> None:
    assert {"bars": 100, "other": 100} == read_left(redis_url)
    send(limiter, "other", 45)
    send(limiter, "bars", WINDOWS["bars"].most)

    assert {"bars": 0, "other": 75} == read_left(redis_url)
    assert {"bars": 0, "other": 75} == read_left(redis_url)


def test_a_request_that_is_under_way_counts(redis_url: str, limiter: RedisLimiter) -> None:
    with limiter.count_request("other", Queue.HIGH):
        assert read_left(redis_url)["other"] < 100


def test_nothing_is_left_while_a_429_keeps_the_budget_closed(redis_url: str, limiter: RedisLimiter) -> None:
    limiter.record_refusal("other", timedelta(seconds=107))

    assert {"bars": 100, "other": 0} == read_left(redis_url)


def test_after_a_429_to_bars_their_smaller_limit_is_the_whole(redis_url: str, limiter: RedisLimiter) -> None:
    limiter.record_refusal("bars", timedelta(milliseconds=1))
    send(limiter, "bars", 9)

    assert round(100 * (1 - 9 / SLOW_BARS.most), 3) == read_left(redis_url)["bars"]


def test_while_redis_is_away_nothing_is_known() -> None:
    assert {} == read_left(f"redis://127.0.0.1:{free_port()}/0")
