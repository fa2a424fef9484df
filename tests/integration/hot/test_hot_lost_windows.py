"""The request windows after Redis has lost them: emptied, evicted or started without its data."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import redis

from shared.config import VenueSettings
from shared.fleets import Queue
from shared.hot.rate_limit import WINDOWS, RedisLimiter
from tests.fixtures.processes import until
from tests.fixtures.redis_client import connect_patiently
from tests.integration.hot.test_hot_rate_limit import count_allowed, try_request

VENUE = VenueSettings(url="https://venue.test", hubs_url="", user="a-trader", key="a-secret-key", is_simulator=False)
LOST = "Redis has lost"


@pytest.fixture
def client(redis_url: str) -> "Iterator[redis.Redis]":
    client = connect_patiently(redis_url)
    yield client
    client.close()


def test_after_a_wipe_all_processes_together_send_no_more_than_the_venue_allows(client: "redis.Redis") -> None:
    one, other, third = (RedisLimiter(client, VENUE) for _ in range(3))
    sent = sum(try_request(limiter, "other") for _ in range(40) for limiter in (one, other, third))
    client.flushdb()
    sent += sum(count_allowed(limiter, "other", Queue.NORMAL) for limiter in (other, third, one))

    # `other` does not know of the one request that `third` has made since it counted its own last one.
    assert WINDOWS["other"].trading + 1 == sent


def test_a_process_that_was_only_refused_restores_the_window_too(client: "redis.Redis") -> None:
    busy, refused = RedisLimiter(client, VENUE), RedisLimiter(client, VENUE)
    assert WINDOWS["bars"].trading == count_allowed(busy, "bars", Queue.NORMAL)
    assert not try_request(refused, "bars")
    client.flushdb()

    assert not try_request(refused, "bars")
    assert not try_request(RedisLimiter(client, VENUE), "bars")


def test_a_request_under_way_while_redis_is_emptied_is_counted_at_its_end(client: "redis.Redis") -> None:
    windows = {"bars": replace(WINDOWS["bars"], most=1, trading=1)}
    limiter, other = RedisLimiter(client, VENUE, windows=windows), RedisLimiter(client, VENUE, windows=windows)
    with limiter.count_request("bars", Queue.NORMAL):
        client.flushdb()

    assert not try_request(other, "bars")


def test_a_wipe_during_a_request_is_noticed_by_its_process(client: "redis.Redis") -> None:
    limiter, other = RedisLimiter(client, VENUE), RedisLimiter(client, VENUE)
    sent = sum(try_request(limiter, "bars") for _ in range(WINDOWS["bars"].trading - 1))
    with limiter.count_request("bars", Queue.NORMAL):
        client.flushdb()

    assert WINDOWS["bars"].trading == sent + 1
    assert not try_request(limiter, "bars")
    assert not try_request(other, "bars")


def test_after_a_wipe_the_window_stays_closed_for_the_time_of_a_429(client: "redis.Redis") -> None:
    limiter = RedisLimiter(client, VENUE)
    assert try_request(limiter, "other")
    limiter.record_refusal("other", timedelta(minutes=5))
    client.flushdb()

    assert not try_request(limiter, "other")
    assert not try_request(RedisLimiter(client, VENUE), "other")


def test_a_window_whose_requests_have_left_it_is_not_taken_for_lost(
    client: "redis.Redis", caplog: pytest.LogCaptureFixture
) -> None:
    windows = {"bars": replace(WINDOWS["bars"], most=2, trading=2, span=timedelta(milliseconds=50))}
    limiter = RedisLimiter(client, VENUE, windows=windows)
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            until(lambda: try_request(limiter, "bars"), 60, "a place in the window")

    assert LOST not in caplog.text
    client.flushdb()
    with caplog.at_level(logging.WARNING):
        try_request(limiter, "bars")
    assert LOST in caplog.text
