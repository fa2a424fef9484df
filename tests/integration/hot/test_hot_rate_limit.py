"""The request windows in a real Redis: shared by all processes, with a share reserved for critical jobs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import redis

from shared.config import VenueSettings
from shared.errors import RateLimitedError
from shared.fleets import FLEETS, Queue
from shared.hot import rate_limit
from shared.hot.connection import connect
from shared.hot.rate_limit import (
    CLOSED_RESERVE,
    CLOSED_RESERVE_OF_OTHERS,
    SLOW_BARS,
    WINDOWS,
    NoLimiter,
    RedisLimiter,
)
from tests.fixtures.processes import free_port

VENUE = VenueSettings(url="https://venue.test", hubs_url="", user="a-trader", key="a-secret-key", is_simulator=False)


@pytest.fixture
def client(redis_url: str) -> "Iterator[redis.Redis]":
    client = connect(redis_url)
    client.connection_pool.connection_kwargs["socket_timeout"] = 60  # Redis on a slow computer is not down
    yield client
    client.close()


@pytest.fixture
def limiter_without_redis() -> Iterator[RedisLimiter]:
    """The limiter of a process that cannot reach Redis."""
    client = connect(f"redis://127.0.0.1:{free_port()}/0")
    yield RedisLimiter(client, VENUE)
    client.close()


def try_request(limiter: RedisLimiter, budget: str, queue: Queue = Queue.NORMAL, *, is_exit: bool = False) -> bool:
    try:
        with limiter.count_request(budget, queue, is_exit=is_exit):
            return True
    except RateLimitedError:
        return False


def count_allowed(limiter: RedisLimiter, budget: str, queue: Queue, *, is_exit: bool = False) -> int:
    """Send requests until one is refused; return how many were allowed."""
    count = 0
    while try_request(limiter, budget, queue, is_exit=is_exit):
        count += 1
    return count


@pytest.mark.parametrize(("budget", "documented", "seconds"), [("bars", 50, 30), ("other", 200, 60)])
def test_a_window_allows_a_little_less_than_the_venue_and_names_the_wait(
    client: "redis.Redis", budget: str, documented: int, seconds: int
) -> None:
    limiter = RedisLimiter(client, VENUE)
    assert WINDOWS[budget].most == count_allowed(limiter, budget, Queue.CRITICAL, is_exit=True) < documented
    with pytest.raises(RateLimitedError) as caught, limiter.count_request(budget, Queue.CRITICAL, is_exit=True):
        pytest.fail("one too many")

    assert timedelta(seconds=seconds - 20) < caught.value.retry_after <= timedelta(seconds=seconds + 1)


def test_lower_queues_leave_a_part_of_the_window_to_higher_ones(client: "redis.Redis") -> None:
    limiter = RedisLimiter(client, VENUE)

    assert 120 == count_allowed(limiter, "other", Queue.BACKGROUND)
    assert 0 == count_allowed(limiter, "other", Queue.LOW)
    assert 20 == count_allowed(limiter, "other", Queue.NORMAL)
    assert 0 == count_allowed(limiter, "other", Queue.HIGH)
    assert 0 == count_allowed(limiter, "other", Queue.HIGH, is_exit=True)
    assert 20 == count_allowed(limiter, "other", Queue.CRITICAL)
    assert 20 == count_allowed(limiter, "other", Queue.CRITICAL, is_exit=True)


def test_all_processes_of_a_user_share_a_window_and_budgets_are_separate(client: "redis.Redis") -> None:
    most = WINDOWS["bars"].most
    with ThreadPoolExecutor(8) as pool:
        allowed = sum(pool.map(lambda _: try_request(RedisLimiter(client, VENUE), "bars"), range(most + 20)))

    assert most == allowed
    assert try_request(RedisLimiter(client, VENUE), "other")
    assert try_request(RedisLimiter(client, replace(VENUE, user="another")), "bars")


def age_requests(client: "redis.Redis", span: timedelta) -> None:
    """Make every counted request older by `span`, as if that time had gone by."""
    for key in map(str, client.keys("tickwork:requests:*")):
        if client.type(key) == "zset":
            for request, _ in client.zscan_iter(key):
                client.zincrby(key, -span / timedelta(microseconds=1), request)


def test_a_place_in_the_window_is_free_a_whole_span_after_its_request_has_ended(client: "redis.Redis") -> None:
    minute = timedelta(minutes=1)
    limiter = RedisLimiter(client, VENUE, windows={"bars": replace(WINDOWS["bars"], most=1, trading=1, span=minute)})
    with limiter.count_request("bars", Queue.NORMAL):
        age_requests(client, 2 * minute)  # it takes longer than the span: the venue may have counted it just now
    with pytest.raises(RateLimitedError) as caught, limiter.count_request("bars", Queue.NORMAL):
        pytest.fail("the venue may still count the first")
    assert 0.5 * minute < caught.value.retry_after <= minute + timedelta(seconds=1)
    age_requests(client, 0.25 * minute)
    assert not try_request(limiter, "bars")
    age_requests(client, minute)

    assert try_request(limiter, "bars")


def test_a_429_closes_the_window_for_every_process_for_the_time_the_venue_names(client: "redis.Redis") -> None:
    one, other = RedisLimiter(client, VENUE), RedisLimiter(client, VENUE)
    assert timedelta(seconds=107) == one.record_refusal("other", timedelta(seconds=107))
    with pytest.raises(RateLimitedError) as caught, other.count_request("other", Queue.HIGH):
        pytest.fail("the venue refused")

    assert timedelta(seconds=70) < caught.value.retry_after <= timedelta(seconds=107)
    assert try_request(other, "bars")


@pytest.fixture
def long_reserve(monkeypatch: pytest.MonkeyPatch) -> timedelta:
    """Count the reserve in a time that no slow computer exceeds within a test; return it."""
    monkeypatch.setattr(rate_limit, "CLOSED_RESERVE_SPAN", timedelta(minutes=2))
    return rate_limit.CLOSED_RESERVE_SPAN


def test_critical_jobs_of_all_processes_keep_a_reserve_while_a_429_closes_the_window(
    client: "redis.Redis", long_reserve: timedelta
) -> None:
    one, other = RedisLimiter(client, VENUE), RedisLimiter(client, VENUE)
    one.record_refusal("other", timedelta(minutes=5))
    assert try_request(one, "other", Queue.CRITICAL)
    assert CLOSED_RESERVE_OF_OTHERS - 1 == count_allowed(other, "other", Queue.CRITICAL)
    assert CLOSED_RESERVE - CLOSED_RESERVE_OF_OTHERS == count_allowed(one, "other", Queue.CRITICAL, is_exit=True)
    with pytest.raises(RateLimitedError) as caught, other.count_request("other", Queue.CRITICAL, is_exit=True):
        pytest.fail("the reserve is used up")

    assert timedelta(0) < caught.value.retry_after <= long_reserve
    client.delete(*list(client.keys("*:reserve")))  # as when that time is over
    assert try_request(one, "other", Queue.CRITICAL)


def test_critical_jobs_of_a_process_keep_the_reserve_while_a_429_closes_the_window_and_redis_is_down(
    limiter_without_redis: RedisLimiter, long_reserve: timedelta
) -> None:
    limiter_without_redis.record_refusal("other", timedelta(minutes=5))
    assert CLOSED_RESERVE_OF_OTHERS == count_allowed(limiter_without_redis, "other", Queue.CRITICAL)
    closes = count_allowed(limiter_without_redis, "other", Queue.CRITICAL, is_exit=True)
    assert CLOSED_RESERVE - CLOSED_RESERVE_OF_OTHERS == closes
    with pytest.raises(RateLimitedError) as caught, limiter_without_redis.count_request("other", Queue.HIGH):
        pytest.fail("the venue refused")

    assert caught.value.retry_after > long_reserve


def test_a_429_without_retry_after_closes_it_longer_each_time_and_simultaneous_ones_count_once(
    client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "_FIRST_PAUSE_S", 100.0)  # longer than the next line takes
    monkeypatch.setattr(rate_limit, "_LONGEST_PAUSE_S", 3000.0)
    first = RedisLimiter(client, VENUE).record_refusal("other", None)
    again = RedisLimiter(client, VENUE).record_refusal("other", None)
    client.delete(*list(client.keys("*:closed")))
    second = RedisLimiter(client, VENUE).record_refusal("other", None)

    assert timedelta(seconds=100) <= first <= timedelta(seconds=125)
    assert again <= first
    assert timedelta(seconds=200) <= second <= timedelta(seconds=250)


def test_bars_use_the_older_limit_after_a_429(client: "redis.Redis") -> None:
    limiter = RedisLimiter(client, VENUE)
    limiter.record_refusal("bars", timedelta(seconds=1))
    client.delete(*list(client.keys("*:closed")))

    assert SLOW_BARS.most == 27 == count_allowed(limiter, "bars", Queue.CRITICAL)


def test_without_redis_each_process_has_a_share_and_a_critical_job_a_larger_one(
    limiter_without_redis: RedisLimiter,
) -> None:
    assert 8 == count_allowed(limiter_without_redis, "other", Queue.NORMAL)
    assert 22 == count_allowed(limiter_without_redis, "other", Queue.CRITICAL)
    assert 10 == count_allowed(limiter_without_redis, "other", Queue.CRITICAL, is_exit=True)
    assert 2 == count_allowed(limiter_without_redis, "bars", Queue.LOW)
    assert timedelta(seconds=3) == limiter_without_redis.record_refusal("other", timedelta(seconds=3))


def test_without_redis_the_slots_that_are_not_critical_and_the_feed_fit_into_their_share() -> None:
    slots = sum(fleet.slots for fleet in FLEETS if Queue.CRITICAL not in fleet.queues) + 1

    assert slots * WINDOWS["other"].local <= WINDOWS["other"].trading
    assert slots * WINDOWS["bars"].local <= WINDOWS["bars"].trading
    assert WINDOWS["other"].local_most == WINDOWS["other"].most - WINDOWS["other"].trading


def test_requests_counted_in_redis_still_count_once_redis_is_down(client: "redis.Redis") -> None:
    limiter = RedisLimiter(client, VENUE)
    for _ in range(WINDOWS["other"].local):
        assert try_request(limiter, "other")
    unreachable = connect(f"redis://127.0.0.1:{free_port()}/0")
    limiter._redis = unreachable  # noqa: SLF001  # the same process, with Redis down

    assert not try_request(limiter, "other")
    assert try_request(limiter, "other", Queue.CRITICAL)
    unreachable.close()


def test_without_limits_every_request_is_allowed() -> None:
    for _ in range(1_000):
        with NoLimiter().count_request("bars", Queue.LOW):
            pass
