"""The shared token and the request windows, in a real Redis."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import redis

from shared.config import Venue
from shared.errors import RateLimitedError, RetryableError
from shared.hot.connection import connect
from shared.hot.logins import RedisTokenStore
from shared.hot.rate_limit import WINDOWS, NoLimiter, RedisLimiter
from tests.fixtures.processes import free_port

VENUE = Venue(url="https://venue.test", hubs_url="", user="a-trader", key="a-secret-key", is_simulator=False)


@pytest.fixture
def client(redis_url: str) -> "Iterator[redis.Redis]":
    client = connect(redis_url)
    yield client
    client.close()


def test_a_token_is_seen_by_every_process_of_the_user_and_by_no_other(client: "redis.Redis") -> None:
    RedisTokenStore(client, VENUE).put("a-token")

    assert "a-token" == RedisTokenStore(client, VENUE).get()
    assert RedisTokenStore(client, replace(VENUE, user="another")).get() is None
    assert RedisTokenStore(client, replace(VENUE, url="https://elsewhere.test")).get() is None


def test_a_token_is_forgotten_well_before_the_venue_ends_it(client: "redis.Redis") -> None:
    RedisTokenStore(client, VENUE).put("a-token")
    kept_for = [int(str(client.ttl(key))) for key in client.keys("tickwork:*")]

    assert 1 == len(kept_for)
    assert 3600 < kept_for[0] < 24 * 3600


def test_dropping_a_dead_token_leaves_the_one_that_came_meanwhile(client: "redis.Redis") -> None:
    store = RedisTokenStore(client, VENUE)
    store.put("the new one")
    store.drop("the old one")
    assert "the new one" == store.get()

    store.drop("the new one")
    assert store.get() is None


def test_only_one_logs_in_at_a_time_and_the_next_one_gets_its_turn(client: "redis.Redis") -> None:
    inside, most = 0, 0
    count = threading.Lock()

    def log_in(_: int) -> None:
        nonlocal inside, most
        with RedisTokenStore(client, VENUE).login():
            with count:
                inside += 1
                most = max(most, inside)
            time.sleep(0.01)
            with count:
                inside -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(log_in, range(8)))

    assert (0, 1) == (inside, most)


def test_what_is_kept_in_redis_names_neither_user_nor_key(client: "redis.Redis") -> None:
    RedisTokenStore(client, VENUE).put("a-token")
    RedisLimiter(client, VENUE).acquire("other")
    everything = " ".join(str(key) for key in client.keys("*"))

    assert everything
    assert VENUE.user not in everything
    assert VENUE.key not in everything


@pytest.mark.parametrize(("budget", "documented", "seconds"), [("bars", 50, 30), ("other", 200, 60)])
def test_a_window_lets_through_a_little_less_than_the_venue_and_says_when_to_come_back(
    client: "redis.Redis", budget: str, documented: int, seconds: int
) -> None:
    limiter = RedisLimiter(client, VENUE)
    most, window = WINDOWS[budget]
    assert most < documented
    assert timedelta(seconds=seconds) == window
    for _ in range(most):
        limiter.acquire(budget)
    with pytest.raises(RateLimitedError) as caught:
        limiter.acquire(budget)

    assert timedelta(seconds=seconds - 20) < caught.value.retry_after <= window


def test_the_window_is_shared_by_all_who_use_the_user_and_the_budgets_are_apart(client: "redis.Redis") -> None:
    most, _ = WINDOWS["bars"]

    def take(_: int) -> bool:
        try:
            RedisLimiter(client, VENUE).acquire("bars")
        except RateLimitedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        taken = sum(pool.map(take, range(most + 20)))

    assert most == taken
    RedisLimiter(client, VENUE).acquire("other")
    RedisLimiter(client, replace(VENUE, user="another")).acquire("bars")


def test_a_place_in_the_window_is_free_again_when_its_time_is_over(
    client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WINDOWS, "bars", (2, timedelta(seconds=0.3)))
    limiter = RedisLimiter(client, VENUE)
    limiter.acquire("bars")
    limiter.acquire("bars")
    with pytest.raises(RateLimitedError) as caught:
        limiter.acquire("bars")

    time.sleep(caught.value.retry_after.total_seconds() + 0.02)
    limiter.acquire("bars")


def test_a_redis_that_is_gone_is_retryable_and_quickly_known() -> None:
    client = connect(f"redis://:a-password@127.0.0.1:{free_port()}/0")
    began = time.monotonic()
    for ask in (RedisTokenStore(client, VENUE).get, lambda: RedisLimiter(client, VENUE).acquire("other")):
        with pytest.raises(RetryableError) as caught:
            ask()
        assert "a-password" not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert time.monotonic() - began < 10
    client.close()


def test_without_limits_everything_passes() -> None:
    for _ in range(1_000):
        NoLimiter().acquire("bars")
