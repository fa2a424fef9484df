"""How many requests without a known token wait for the database, and who does not wait behind them."""

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from uuid import uuid4

import psycopg
import requests

from tests.fixtures.api_client import ApiClient
from tests.fixtures.receiver_process import ReceiverProcess

pytest_plugins = ("tests.fixtures.receiver",)

WAITING = 3
TAKEN = WAITING + 1  # the one that is served
RECEIVER_CONSTANTS = {"web.receiver.anonymous_work:MOST_WAITING": WAITING}
NOTHING = "upkeep.do_nothing"


def test_beyond_a_short_line_the_answer_is_a_503_at_once(receiver: ReceiverProcess, api: ApiClient) -> None:
    assert 202 == api.request(NOTHING).status_code  # the token is known now

    with ThreadPoolExecutor(4 * TAKEN) as pool, psycopg.connect(receiver.database_url) as other:
        other.execute("LOCK TABLE job")
        asked = [pool.submit(requests.get, f"{receiver.url}/jobs/{uuid4()}", timeout=200) for _ in range(4 * TAKEN)]
        refused = wait_for(asked, 3 * TAKEN)

        assert {(503, "5", "close")} == {
            (one.status_code, *map(one.headers.get, ("Retry-After", "Connection"))) for one in refused
        }
        assert 403 == api.request("orders.poll_fills").status_code  # the database was asked for the token
        other.rollback()
        assert [404] * TAKEN + [503] * 3 * TAKEN == sorted(one.result().status_code for one in asked)


def wait_for(futures: list[Future[requests.Response]], count: int) -> list[requests.Response]:
    """Return the results of the first futures that are done, once there are so many."""
    pending = set(futures)
    while len(futures) - len(pending) < count:
        done, pending = wait(pending, timeout=100, return_when=FIRST_COMPLETED)
        assert done, "no further answer"
    return [one.result() for one in futures if one.done()]


def test_a_crowd_at_the_open_route_keeps_no_new_token_waiting(receiver: ReceiverProcess, api: ApiClient) -> None:
    with ThreadPoolExecutor(4 * TAKEN) as pool, psycopg.connect(receiver.database_url) as other:
        other.execute("LOCK TABLE job")
        asked = [pool.submit(requests.get, f"{receiver.url}/jobs/{uuid4()}", timeout=200) for _ in range(4 * TAKEN)]
        wait_for(asked, 3 * TAKEN)

        assert 403 == api.request("orders.poll_fills").status_code  # its first request
        other.rollback()
        wait_for(asked, len(asked))
