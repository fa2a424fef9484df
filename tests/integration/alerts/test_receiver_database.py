"""The receiver while Postgres is unreachable, late, or lost during a COMMIT."""

from typing import Any

import psycopg
import pytest
import requests

from tests.fixtures.processes import until
from tests.fixtures.receiver_process import ENTRY, ReceiverProcess, StartReceiver
from tests.fixtures.wire_tap import WireTap
from web.receiver import deadline

GIVEN_UP = "the database did not answer within"
RECEIVER_TIMEOUT_S = 1.0  # instead of 2.5, for a quick test
pytest_plugins = ("tests.fixtures.receiver",)


@pytest.fixture
def tapped(receiver: ReceiverProcess) -> ReceiverProcess:
    """A receiver that has reached Postgres once."""
    post(receiver, ENTRY | {"id": "before"})
    return receiver


def post(receiver: ReceiverProcess, alert: dict[str, Any]) -> None:
    """Send an alert as TradingView does: again after a 503, which a slow machine may cause."""
    until(lambda: receiver.post(alert).status_code == 202, 100, "an alert accepted")


def assert_asks_for_a_resend(answer: requests.Response) -> None:
    assert (503, "5") == (answer.status_code, answer.headers["Retry-After"])
    assert "application/problem+json" == answer.headers["Content-Type"]
    assert "5 s" in answer.json()["hint"]


def test_killed_connections_lose_no_alert(receiver: ReceiverProcess) -> None:
    for _ in range(3):
        post(receiver, ENTRY)
        killed = receiver.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tickwork receiver'"
        )
        assert [] != killed
    post(receiver, ENTRY)
    assert 4 == receiver.count("job")


def test_while_postgres_refuses_connections_the_answer_asks_for_a_resend(
    tapped: ReceiverProcess, to_postgres: WireTap
) -> None:
    to_postgres.refuse()
    assert_asks_for_a_resend(tapped.post(ENTRY | {"id": "during"}))
    assert_asks_for_a_resend(tapped.post(ENTRY, "a-wrong-token"))
    assert_asks_for_a_resend(tapped.get(f"/jobs/{'0' * 32}"))
    assert tapped.is_healthy()

    to_postgres.restore()
    post(tapped, ENTRY | {"id": "during"})
    assert [("before",), ("during",)] == tapped.rows("SELECT external_id FROM alert ORDER BY id")


def test_a_receiver_may_start_before_postgres(database_url: str, start_receiver: StartReceiver) -> None:
    with WireTap(database_url) as wire:
        wire.refuse()
        receiver = start_receiver(through=wire.url)
        assert_asks_for_a_resend(receiver.post(ENTRY))

        wire.restore()
        post(receiver, ENTRY)
        assert 1 == receiver.count("job")


def test_a_database_lock_does_not_keep_the_sender_waiting(tapped: ReceiverProcess) -> None:
    with psycopg.connect(tapped.database_url) as other:
        other.execute("LOCK TABLE hook")
        assert_asks_for_a_resend(tapped.post(ENTRY | {"id": "during"}))  # the table is still locked

    post(tapped, ENTRY | {"id": "during"})
    assert 2 == tapped.count("job")


def test_the_receivers_timeout_is_shorter_than_tradingviews_three_seconds() -> None:
    assert 3 > deadline.TIMEOUT_S


def test_while_postgres_hangs_the_answer_comes_after_the_receivers_timeout(
    tapped: ReceiverProcess, to_postgres: WireTap
) -> None:
    before = tapped.log().count(GIVEN_UP)
    to_postgres.block()

    assert_asks_for_a_resend(tapped.post(ENTRY | {"id": "during"}))  # Postgres still hangs
    assert before + 1 == tapped.log().count(GIVEN_UP)  # one wait, not two in a row
    assert tapped.is_healthy()
    to_postgres.restore()
    post(tapped, ENTRY | {"id": "during"})
    assert 2 == tapped.count("job")


def test_an_alert_whose_commit_was_never_confirmed_is_one_job_after_its_resend(
    tapped: ReceiverProcess, to_postgres: WireTap
) -> None:
    # Without an id or a time two such alerts are two orders, unless the first was answered with a 503.
    to_postgres.block_after(b"COMMIT")
    assert_asks_for_a_resend(tapped.post(ENTRY))
    until(lambda: tapped.count("job") == 2, 60)

    to_postgres.restore()
    post(tapped, ENTRY)
    assert 2 == tapped.count("job")
    post(tapped, ENTRY)
    assert 3 == tapped.count("job")
    assert "Traceback" not in tapped.log()
