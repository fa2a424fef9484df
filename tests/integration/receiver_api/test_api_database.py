"""Requests for jobs while Postgres is away or slow, and secrets that must not leave the receiver."""

import psycopg
import pytest
import requests

from tests.fixtures.api_client import ApiClient
from tests.fixtures.processes import until
from tests.fixtures.receiver_process import ENTRY, ReceiverProcess
from tests.fixtures.wire_tap import WireTap

pytest_plugins = ("tests.fixtures.receiver",)
RECEIVER_TIMEOUT_S = 1.0

NOTHING = "upkeep.do_nothing"


@pytest.fixture
def tapped(api: ApiClient) -> ApiClient:
    """A client of a receiver that has reached Postgres once."""
    until(lambda: api.request(NOTHING).status_code == 202, 100, "a job requested")
    return api


def assert_asks_for_a_resend(answer: requests.Response) -> None:
    assert (503, "5") == (answer.status_code, answer.headers["Retry-After"])
    assert "application/problem+json" == answer.headers["Content-Type"]


def test_while_postgres_is_away_the_answer_asks_for_a_resend(tapped: ApiClient, to_postgres: WireTap) -> None:
    to_postgres.refuse()
    assert_asks_for_a_resend(tapped.request(NOTHING))
    assert_asks_for_a_resend(tapped.follow("0" * 32))
    assert 401 == tapped.request(NOTHING, token="malformed").status_code

    to_postgres.restore()
    until(lambda: tapped.request(NOTHING).status_code == 202, 100, "a job requested")


def test_a_request_whose_commit_was_never_confirmed_is_one_job_after_its_resend(
    tapped: ApiClient, to_postgres: WireTap
) -> None:
    to_postgres.block_after(b"INSERT INTO job")
    assert_asks_for_a_resend(tapped.request(NOTHING, key="nightly"))
    to_postgres.restore()

    until(lambda: tapped.request(NOTHING, key="nightly").status_code == 202, 100, "an answer to the resend")
    answers = [tapped.request(NOTHING, key="nightly") for _ in range(2)]

    assert 1 == len({answer.json()["job_id"] for answer in answers})
    assert 2 == tapped.receiver.count("job")


def test_a_receiver_is_ready_while_postgres_or_the_spool_can_store(tapped: ApiClient, to_postgres: WireTap) -> None:
    receiver = tapped.receiver
    until(lambda: receiver.get("/ready").json() == {"status": "ready"}, 100, "a ready receiver")
    spool = receiver.home / "spool"

    to_postgres.refuse()
    until(lambda: receiver.get("/ready").json() == {"status": "ready", "spooling": True}, 100, "a spooling receiver")
    spool.rename(spool.with_name("gone"))
    try:
        assert_asks_for_a_resend(receiver.get("/ready"))
        assert 200 == receiver.get("/live").status_code
    finally:
        spool.with_name("gone").rename(spool)
    assert receiver.get("/ready").json()["spooling"]

    to_postgres.restore()
    until(lambda: receiver.get("/ready").json() == {"status": "ready"}, 100, "a ready receiver")


def test_a_receiver_whose_database_takes_no_commits_is_ready_to_spool(tapped: ApiClient) -> None:
    receiver = tapped.receiver
    name = receiver.rows("SELECT current_database()")[0][0]
    with psycopg.connect(receiver.database_url, autocommit=True) as admin:
        try:
            admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            _close_connections(receiver)
            until(lambda: receiver.get("/ready").json().get("spooling"), 60, "a receiver that would spool")
            assert receiver.post(ENTRY).json()["spooled"]
        finally:
            admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
            _close_connections(receiver)
    until(lambda: receiver.get("/ready").json() == {"status": "ready"}, 60, "a ready receiver")


def _close_connections(receiver: ReceiverProcess) -> None:
    receiver.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tickwork receiver'")


@pytest.mark.usefixtures("broker")  # with room for a wake-up
def test_an_api_token_is_in_no_log_and_on_no_wire_behind_the_receiver(
    tapped: ApiClient, to_postgres: WireTap, to_broker: WireTap
) -> None:
    receiver = tapped.receiver
    until(lambda: b"upkeep.do_nothing" in to_broker.heard)
    for answer in (tapped.request(NOTHING, b"{"), tapped.request("orders.flatten"), tapped.request(tapped.token)):
        assert answer.status_code in {400, 403, 404}
    to_postgres.refuse()
    assert_asks_for_a_resend(tapped.request(NOTHING))

    assert "token program: upkeep.do_nothing requested" in receiver.log()
    assert "Traceback" not in receiver.log()
    for place in (receiver.log().encode(), bytes(to_postgres.heard), bytes(to_broker.heard)):
        assert tapped.token.encode() not in place
        assert place
