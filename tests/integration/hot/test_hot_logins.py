"""The shared token in a real Redis, and in a single process while Redis is down."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
import redis

from shared.clock import machine_now
from shared.config import VenueSettings
from shared.domain.accounts.login import Token, parse_token
from shared.errors import RateLimitedError
from shared.fleets import Queue
from shared.hot import connection
from shared.hot.connection import CircuitBreaker, connect
from shared.hot.logins import RedisTokenStore
from shared.hot.rate_limit import RedisLimiter
from tests.fixtures.processes import free_port

VENUE = VenueSettings(url="https://venue.test", hubs_url="", user="a-trader", key="a-secret-key", is_simulator=False)


@pytest.fixture
def client(redis_url: str) -> "Iterator[redis.Redis]":
    client = connect(redis_url)
    client.connection_pool.connection_kwargs["socket_timeout"] = 60  # Redis on a slow computer is not down
    yield client
    client.close()


@pytest.fixture
def unreachable_redis() -> "Iterator[redis.Redis]":
    """A client of a Redis that does not exist."""
    client = connect(f"redis://:a-password@127.0.0.1:{free_port()}/0")
    yield client
    client.close()


def token(text: str, ends_in: timedelta = timedelta(hours=24)) -> Token:
    return Token(text, machine_now(), machine_now() + ends_in)


def text_of(stored: Token | None) -> str | None:
    return None if stored is None else stored.text


def test_a_token_is_seen_by_every_process_of_the_user_and_by_no_other(client: "redis.Redis") -> None:
    stored = parse_token("a-token", machine_now())
    RedisTokenStore(client, VENUE).put(stored)

    assert stored == RedisTokenStore(client, VENUE).get()
    assert RedisTokenStore(client, replace(VENUE, user="another")).get() is None
    assert RedisTokenStore(client, replace(VENUE, url="https://elsewhere.test")).get() is None


def test_a_token_expires_when_it_ends(client: "redis.Redis") -> None:
    store = RedisTokenStore(client, VENUE)
    store.put(token("a-token", timedelta(hours=3)))
    (key,) = client.keys("tickwork:*")

    assert 3 * 3600 - 60 < int(str(client.ttl(key))) <= 3 * 3600
    store.put(token("a-token", timedelta(seconds=-1)))
    assert store.get() is None


def test_dropping_an_old_token_leaves_its_replacement(client: "redis.Redis") -> None:
    store = RedisTokenStore(client, VENUE)
    store.put(token("the new one"))
    store.drop("the old one")
    assert "the new one" == text_of(store.get())

    store.drop("the new one")
    assert store.get() is None


def test_one_process_logs_in_at_a_time_and_the_next_follows(client: "redis.Redis") -> None:
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


def test_one_of_many_callers_claims_the_renewal(client: "redis.Redis") -> None:
    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(lambda _: RedisTokenStore(client, VENUE).claim_renewal(), range(12)))

    assert 1 == sum(claims)


def test_redis_keys_contain_neither_user_nor_key(client: "redis.Redis") -> None:
    RedisTokenStore(client, VENUE).put(token("a-token"))
    with RedisLimiter(client, VENUE).count_request("other", Queue.NORMAL):
        everything = " ".join(str(key) for key in client.keys("*"))

    assert everything
    assert VENUE.user not in everything
    assert VENUE.key not in everything


def test_without_redis_the_last_known_token_stays_in_use(
    client: "redis.Redis", unreachable_redis: "redis.Redis"
) -> None:
    store = RedisTokenStore(client, VENUE)
    store.put(token("shared"))
    store._redis = unreachable_redis  # noqa: SLF001  # the same process, with Redis down

    assert "shared" == text_of(store.get())
    store.drop("shared")
    assert store.get() is None
    assert not store.claim_renewal()


def test_without_redis_a_process_logs_in_by_itself_at_most_once_a_minute(unreachable_redis: "redis.Redis") -> None:
    store = RedisTokenStore(unreachable_redis, VENUE)
    with store.login():
        store.put(token("my own"))
    assert "my own" == text_of(store.get())

    store.drop("my own")
    with pytest.raises(RateLimitedError) as caught, store.login():
        pytest.fail("a second login within the minute")
    assert timedelta(seconds=50) < caught.value.retry_after <= timedelta(seconds=60)


def test_without_redis_a_failed_login_may_be_retried_soon(unreachable_redis: "redis.Redis") -> None:
    store = RedisTokenStore(unreachable_redis, VENUE)
    with pytest.raises(ValueError, match="down"), store.login():
        raise ValueError("the venue is down")
    with pytest.raises(RateLimitedError) as caught, store.login():
        pytest.fail("too soon")

    assert caught.value.retry_after <= timedelta(seconds=5)


def test_a_hanging_redis_delays_a_process_once_and_its_password_is_in_no_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections and never answers
        monkeypatch.setattr(connection, "_OPEN_FOR_S", 600.0)  # longer than the test takes
        hanging = connect(f"redis://:a-password@127.0.0.1:{silent.getsockname()[1]}/0")
        breaker = CircuitBreaker()
        store = RedisTokenStore(hanging, VENUE, breaker)
        limiter = RedisLimiter(hanging, VENUE, breaker)
        for _ in range(20):
            store.get()
        with limiter.count_request("other", Queue.CRITICAL):
            pass
        hanging.close()
        silent.settimeout(0)
        tries = 0
        with suppress(BlockingIOError):
            while True:
                silent.accept()[0].close()
                tries += 1

    assert tries <= 2  # one command, and its retry over a new connection
    assert hanging.connection_pool.connection_kwargs["socket_timeout"] <= 1  # for each of the two
    assert 1 == caplog.text.count("Redis does not answer")
    assert "a-password" not in caplog.text
