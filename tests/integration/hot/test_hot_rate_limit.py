"""The request windows in a real Redis: shared by all, with a share that only critical work may use."""

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
from shared.hot.rate_limit import SLOW_BARS, WINDOWS, NoLimiter, RedisLimiter
from tests.fixtures.processes import free_port

VENUE = VenueSettings(url="https://venue.test", hubs_url="", user="a-trader", key="a-secret-key", is_simulator=False)


@pytest.fixture
def client(redis_url: str) -> "Iterator[redis.Redis]":
    client = connect(redis_url)
    client.connection_pool.connection_kwargs["socket_timeout"] = 60  # a slow computer's Redis is no dead one
    yield client
    client.close()


@pytest.fixture
def alone() -> Iterator[RedisLimiter]:
    """The limiter of a process that cannot reach Redis."""
    client = connect(f"redis://127.0.0.1:{free_port()}/0")
    yield RedisLimiter(client, VENUE)
    client.close()


def take(limiter: RedisLimiter, budget: str, queue: Queue = Queue.NORMAL) -> bool:
    try:
        with limiter.counted(budget, queue):
            return True
    except RateLimitedError:
        return False


def taken(limiter: RedisLimiter, budget: str, queue: Queue) -> int:
    """Take until refused; return how many passed."""
    count = 0
    while take(limiter, budget, queue):
        count += 1
    return count


@pytest.mark.parametrize(("budget", "documented", "seconds"), [("bars", 50, 30), ("other", 200, 60)])
def test_a_window_lets_through_a_little_less_than_the_venue_and_says_when_to_come_back(
    client: "redis.Redis", budget: str, documented: int, seconds: int
) -> None:
    limiter = RedisLimiter(client, VENUE)
    assert WINDOWS[budget].most == taken(limiter, budget, Queue.CRITICAL) < documented
    with pytest.raises(RateLimitedError) as caught, limiter.counted(budget, Queue.CRITICAL):
        pytest.fail("one too many")

    assert timedelta(seconds=seconds - 20) < caught.value.retry_after <= timedelta(seconds=seconds + 1)


def test_what_can_wait_leaves_the_rest_of_the_window_to_what_cannot(client: "redis.Redis") -> None:
    limiter = RedisLimiter(client, VENUE)

    assert 120 == taken(limiter, "other", Queue.BACKGROUND)
    assert 0 == taken(limiter, "other", Queue.LOW)
    assert 20 == taken(limiter, "other", Queue.NORMAL)
    assert 0 == taken(limiter, "other", Queue.HIGH)
    assert 40 == taken(limiter, "other", Queue.CRITICAL)


def test_the_window_is_shared_by_all_who_use_the_user_and_the_budgets_are_apart(client: "redis.Redis") -> None:
    most = WINDOWS["bars"].most
    with ThreadPoolExecutor(8) as pool:
        passed = sum(pool.map(lambda _: take(RedisLimiter(client, VENUE), "bars"), range(most + 20)))

    assert most == passed
    assert take(RedisLimiter(client, VENUE), "other")
    assert take(RedisLimiter(client, replace(VENUE, user="another")), "bars")


def let_pass(client: "redis.Redis", span: timedelta) -> None:
    """Make everything that the windows know that much older, as if so much time had passed."""
    for key in map(str, client.keys("tickwork:requests:*")):
        if client.type(key) == "zset":
            for request, _ in client.zscan_iter(key):
                client.zincrby(key, -span / timedelta(microseconds=1), request)


def test_a_place_in_the_window_is_free_again_a_whole_span_after_its_request_has_ended(client: "redis.Redis") -> None:
    minute = timedelta(minutes=1)
    limiter = RedisLimiter(client, VENUE, windows={"bars": replace(WINDOWS["bars"], most=1, trading=1, span=minute)})
    with limiter.counted("bars", Queue.NORMAL):
        let_pass(client, 2 * minute)  # under way for longer than the span: the venue may have counted it just now
    with pytest.raises(RateLimitedError) as caught, limiter.counted("bars", Queue.NORMAL):
        pytest.fail("the venue may still count the first")
    assert 0.5 * minute < caught.value.retry_after <= minute + timedelta(seconds=1)
    let_pass(client, 0.25 * minute)
    assert not take(limiter, "bars")
    let_pass(client, minute)

    assert take(limiter, "bars")


def test_a_429_closes_the_window_for_every_process_and_queue_as_long_as_the_venue_said(client: "redis.Redis") -> None:
    one, other = RedisLimiter(client, VENUE), RedisLimiter(client, VENUE)
    assert timedelta(seconds=107) == one.refused("other", timedelta(seconds=107))
    with pytest.raises(RateLimitedError) as caught, other.counted("other", Queue.CRITICAL):
        pytest.fail("the venue said no")

    assert timedelta(seconds=70) < caught.value.retry_after <= timedelta(seconds=107)
    assert take(other, "bars")


def test_a_429_that_says_nothing_closes_it_for_longer_each_time_and_together_count_as_one(
    client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "_FIRST_PAUSE_S", 100.0)  # so that it is not over before the next line
    monkeypatch.setattr(rate_limit, "_LONGEST_PAUSE_S", 3000.0)
    first = RedisLimiter(client, VENUE).refused("other", None)
    again = RedisLimiter(client, VENUE).refused("other", None)
    client.delete(*list(client.keys("*:closed")))
    second = RedisLimiter(client, VENUE).refused("other", None)

    assert timedelta(seconds=100) <= first <= timedelta(seconds=125)
    assert again <= first
    assert timedelta(seconds=200) <= second <= timedelta(seconds=250)


def test_bars_that_met_a_429_go_on_at_the_older_limit(client: "redis.Redis") -> None:
    limiter = RedisLimiter(client, VENUE)
    limiter.refused("bars", timedelta(seconds=1))
    client.delete(*list(client.keys("*:closed")))

    assert SLOW_BARS.most == 27 == taken(limiter, "bars", Queue.CRITICAL)


def test_without_redis_each_process_keeps_to_a_share_and_an_exit_to_a_larger_one(alone: RedisLimiter) -> None:
    assert 8 == taken(alone, "other", Queue.NORMAL)
    assert 32 == taken(alone, "other", Queue.CRITICAL)
    assert 2 == taken(alone, "bars", Queue.LOW)
    assert timedelta(seconds=3) == alone.refused("other", timedelta(seconds=3))


def test_without_redis_all_slots_that_are_not_critical_and_the_feed_fit_into_their_part() -> None:
    slots = sum(fleet.slots for fleet in FLEETS if Queue.CRITICAL not in fleet.queues) + 1

    assert slots * WINDOWS["other"].alone <= WINDOWS["other"].trading
    assert slots * WINDOWS["bars"].alone <= WINDOWS["bars"].trading
    assert WINDOWS["other"].alone_critical == WINDOWS["other"].most - WINDOWS["other"].trading


def test_what_was_counted_in_redis_counts_when_redis_goes_away(client: "redis.Redis") -> None:
    limiter = RedisLimiter(client, VENUE)
    for _ in range(WINDOWS["other"].alone):
        assert take(limiter, "other")
    gone = connect(f"redis://127.0.0.1:{free_port()}/0")
    limiter._redis = gone  # noqa: SLF001  # the same process, and Redis gone

    assert not take(limiter, "other")
    assert take(limiter, "other", Queue.CRITICAL)
    gone.close()


def test_without_limits_everything_passes() -> None:
    for _ in range(1_000):
        with NoLimiter().counted("bars", Queue.LOW):
            pass
