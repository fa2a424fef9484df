"""A whole stack whose cache is emptied again and again while it trades."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest
import redis
import requests

from shared.hot.positions import positions_key
from shared.redis_urls import is_same_database
from tests.fixtures.rabbitmq import is_wanted
from tests.fixtures.stack import ALERT, Stack, eventually

pytestmark = pytest.mark.timeout(900)  # it starts a dozen programs
ALERTS, WIPE_EVERY_S = 12, 0.3


@pytest.fixture(scope="module")
def running(stack: Stack) -> Stack:
    stack.up()
    return stack


@contextmanager
def wiping(url: str) -> Iterator[list[int]]:
    """Empty the cache again and again until the body ends; the list has the number of keys before each time."""
    stopping, sizes = Event(), list[int]()

    def wipe() -> None:
        with redis.Redis.from_url(url) as client:
            while not stopping.wait(WIPE_EVERY_S):
                sizes.append(int(str(client.dbsize())))
                client.flushdb()

    thread = Thread(target=wipe)
    thread.start()
    try:
        yield sizes
    finally:
        stopping.set()
        thread.join()


def test_alerts_trade_once_and_positions_come_again_while_the_cache_is_wiped(running: Stack) -> None:
    hook = running.hook()
    running.loosen_rules()
    cache = running.written()["urls"]["cache"]
    body = ALERT | {"stop_loss_ticks": 400, "take_profit_ticks": 400}
    with wiping(cache) as sizes:
        jobs = []
        for number in range(ALERTS):
            answer = requests.post(hook, json=body | {"id": f"wiped {number}"}, timeout=60)
            assert 202 == answer.status_code, answer.text
            jobs.append(str(answer.json()["job_id"]))
            running.wait_for_end(jobs[-1])

    assert ["succeeded"] * ALERTS == [running.job(job)[0] for job in jobs]
    filled = "SELECT count(*) FROM orders WHERE role = 'ENTRY' AND state = 'FILLED'"
    eventually("every alert has traded", lambda: [(ALERTS,)] == running.rows(filled))
    assert [(ALERTS,)] == running.rows("SELECT count(*) FROM orders WHERE role = 'ENTRY'")
    assert any(sizes), "the cache held nothing that was wiped"
    assert [] == running.rows("SELECT endpoint, called_at FROM api_call WHERE status = 429")
    ((account_id,),) = running.rows("SELECT id FROM account")
    with redis.Redis.from_url(cache) as client:
        eventually("positions are in the cache", lambda: client.exists(positions_key(account_id)))


@pytest.mark.skipif(is_wanted(), reason="RabbitMQ has no keys")
def test_the_broker_and_the_cache_share_no_database(running: Stack) -> None:
    urls = running.written()["urls"]
    assert not is_same_database(urls["redis"], urls["cache"])
    with (
        redis.Redis.from_url(urls["redis"], decode_responses=True) as broker,
        redis.Redis.from_url(urls["cache"], decode_responses=True) as cache,
    ):
        found: set[str] = eventually("the cache has keys", lambda: set(map(str, cache.scan_iter())))
        assert {"tickwork"} == {key.partition(":")[0] for key in found}
        assert eventually("the broker has keys", lambda: set(map(str, broker.scan_iter())))
        assert [] == [key for key in map(str, broker.scan_iter()) if key.startswith("tickwork:")]
