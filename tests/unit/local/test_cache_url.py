"""TICKWORK_CACHE_URL and its default: the cache is never in the database of the broker."""

import pytest
import redis

from shared.config import load_settings
from shared.errors import SettingsError
from shared.redis_urls import database_number, is_same_database, with_number

REDIS = "redis://:hush@127.0.0.1:6379/0"
RABBIT = "amqp://me:hush@127.0.0.1:5672/work"


def cache_of(**env: str) -> str:
    return load_settings({"TICKWORK_HOME": "/nowhere"} | env).cache_url


@pytest.mark.parametrize(
    ("redis_url", "cache"),
    [
        (REDIS, "redis://:hush@127.0.0.1:6379/1"),
        ("redis://h", "redis://h/1"),
        ("rediss://me:hush@h:7000/3", "rediss://me:hush@h:7000/4"),
        ("redis://h/?db=5&protocol=3", "redis://h/6?protocol=3"),
        ("unix:///run/valkey.sock?password=hush", "unix:///run/valkey.sock?password=hush&db=1"),
        ("unix:///run/valkey.sock?db=2", "unix:///run/valkey.sock?db=3"),
    ],
)
def test_the_cache_is_the_database_after_that_of_the_broker(redis_url: str, cache: str) -> None:
    assert cache == cache_of(REDIS_URL=redis_url)


def test_with_a_broker_elsewhere_the_cache_is_the_database_of_redis_url() -> None:
    assert REDIS == cache_of(REDIS_URL=REDIS, BROKER_URL=RABBIT)
    assert REDIS == cache_of(REDIS_URL=REDIS, BROKER_URL="redis://:hush@127.0.0.1:6379/7")
    assert "redis://h/1" == cache_of(REDIS_URL="redis://h/0", BROKER_URL="redis://:hush@h:6379")


def test_the_cache_may_have_a_server_of_its_own() -> None:
    url = "redis://:hush@cache.test:6380/0"

    assert url == cache_of(REDIS_URL=REDIS, TICKWORK_CACHE_URL=url)
    assert url == cache_of(TICKWORK_CACHE_URL=url)
    assert not cache_of()


@pytest.mark.parametrize("env", [{}, {"BROKER_URL": "redis://127.0.0.1/0"}])
def test_the_database_of_the_broker_is_refused_without_the_password(env: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="expected a database that the broker does not use") as refused:
        cache_of(REDIS_URL=REDIS, TICKWORK_CACHE_URL="redis://:hush@127.0.0.1/", **env)
    assert "invalid TICKWORK_CACHE_URL 'redis://***@127.0.0.1/'" in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [REDIS, "redis://h", "redis://h/", "redis://h/7", "redis://h/7?db=3", "unix:///run/v.sock?db=4", "redis://h/x"],
)
def test_a_database_is_read_and_written_as_the_client_reads_it(url: str) -> None:
    assert database_number(url) == redis.ConnectionPool.from_url(url).connection_kwargs.get("db", 0)
    changed = with_number(url, 9)
    assert 9 == redis.ConnectionPool.from_url(changed).connection_kwargs["db"]
    assert is_same_database(url, with_number(changed, database_number(url)))
    assert not is_same_database(url, changed)
