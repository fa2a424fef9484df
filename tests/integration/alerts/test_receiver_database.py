"""The receiver while Postgres is unreachable, late, or lost during a COMMIT: alerts go to the spool."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import requests

from tests.fixtures.processes import until
from tests.fixtures.receiver_process import ACCOUNT, ENTRY, ReceiverProcess, StartReceiver
from tests.fixtures.wire_tap import WireTap

STORED = "every spooled alert is stored"
GIVEN_UP = "the database did not answer within"
RECEIVER_TIMEOUT_S = 1.0  # instead of 1.5, for a quick test
pytest_plugins = ("tests.fixtures.receiver",)


@pytest.fixture
def tapped(receiver: ReceiverProcess) -> ReceiverProcess:
    """A receiver that has reached Postgres once."""
    post(receiver, ENTRY | {"id": "before"})
    return receiver


def post(receiver: ReceiverProcess, alert: dict[str, Any]) -> None:
    """Send an alert as TradingView does: again after a 503, which a slow machine may cause."""
    until(lambda: receiver.post(alert).status_code == 202, 100, "an alert accepted")


def assert_spooled(answer: requests.Response) -> None:
    assert (202, True) == (answer.status_code, answer.json().get("spooled"))


def assert_asks_for_a_resend(answer: requests.Response) -> None:
    assert (503, "5") == (answer.status_code, answer.headers["Retry-After"])
    assert "application/problem+json" == answer.headers["Content-Type"]
    assert "5 s" in answer.json()["hint"]


def test_killed_connections_lose_no_alert(receiver: ReceiverProcess) -> None:
    for _ in range(3):
        post(receiver, ENTRY)
        kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tickwork receiver'"
        until(lambda: bool(receiver.rows(kill)), 60, "a connection to kill")  # noqa: B023  # called at once
    post(receiver, ENTRY)
    until(lambda: 4 == receiver.count("job"), 60, "four jobs, perhaps by way of the spool")


def test_while_postgres_refuses_connections_alerts_go_to_the_spool_and_then_to_postgres(
    tapped: ReceiverProcess, to_postgres: WireTap
) -> None:
    stored = tapped.log().count(STORED)  # the alert before may have been spooled too, on a busy computer
    to_postgres.refuse()
    answer = tapped.post(ENTRY | {"id": "during"})
    assert_spooled(answer)
    assert 404 == tapped.post(ENTRY, "a-wrong-token").status_code
    assert 422 == tapped.post(ENTRY | {"quantity": 0}).status_code
    assert_asks_for_a_resend(tapped.get(f"/jobs/{'0' * 32}"))
    assert tapped.is_live()

    to_postgres.restore()
    until(lambda: tapped.log().count(STORED) > stored)
    assert [("before", "accepted"), ("during", "accepted")] == tapped.rows(  # the refused one took no room on the disk
        "SELECT external_id, verdict FROM alert ORDER BY id"
    )
    assert 200 == tapped.get(f"/jobs/{answer.json()['job_id']}").status_code


def test_a_receiver_may_start_before_postgres(database_url: str, start_receiver: StartReceiver) -> None:
    with WireTap(database_url) as wire:
        wire.refuse()
        receiver = start_receiver(through=wire.url)
        assert_asks_for_a_resend(receiver.post(ENTRY))  # no hook is known yet

        wire.restore()
        post(receiver, ENTRY)
        assert 1 == receiver.count("job")


def test_a_database_lock_does_not_keep_the_sender_waiting(tapped: ReceiverProcess) -> None:
    with psycopg.connect(tapped.database_url) as other:
        other.execute("LOCK TABLE job")
        assert_spooled(tapped.post(ENTRY | {"id": "during"}))  # the table is still locked

    until(lambda: tapped.count("job") == 2)


def test_while_postgres_hangs_an_alert_is_spooled_after_the_receivers_timeout_and_the_next_one_at_once(
    tapped: ReceiverProcess, to_postgres: WireTap
) -> None:
    before = tapped.log().count(GIVEN_UP)
    to_postgres.block()

    assert_spooled(tapped.post(ENTRY | {"id": "during"}))  # Postgres still hangs
    assert before + 1 == tapped.log().count(GIVEN_UP)  # one wait, not two in a row
    assert_spooled(tapped.post(ENTRY | {"id": "next"}))
    assert tapped.is_live()
    to_postgres.restore()
    until(lambda: tapped.count("job") == 3)


def test_an_alert_whose_commit_was_never_confirmed_is_one_job(tapped: ReceiverProcess, to_postgres: WireTap) -> None:
    stored = tapped.log().count(STORED)
    to_postgres.block_after(b"INTO job_key")  # the statement that commits by itself
    answer = tapped.post(ENTRY)  # without an id or a time: a second delivery would be a second order
    assert_spooled(answer)
    until(lambda: tapped.count("job") == 2, 60)

    to_postgres.restore()
    until(lambda: tapped.log().count(STORED) > stored)
    assert 2 == tapped.count("job") == tapped.count("alert")
    assert "queued" == tapped.get(f"/jobs/{answer.json()['job_id']}").json()["state"]
    assert "Traceback" not in tapped.log()


def test_spooled_alerts_outlive_the_receiver(database_url: str, start_receiver: StartReceiver) -> None:
    with WireTap(database_url) as wire:
        receiver = start_receiver(through=wire.url, timeout_s=1.0)
        post(receiver, ENTRY)
        wire.refuse()
        bodies: list[dict[str, Any]] = [ENTRY, {"action": "close", "symbol": "MNQ"}, ENTRY | {"id": "entry"}]
        answers = [receiver.post(body) for body in bodies]
        for answer in answers:
            assert_spooled(answer)
        receiver.kill()
    restarted = receiver.start_again()
    until(lambda: restarted.count("job") == 4)

    expected = {answer.json()["job_id"] for answer in answers}
    assert expected <= {row[0] for row in restarted.rows("SELECT job_id::text FROM alert WHERE verdict = 'accepted'")}
    until(lambda: [] == list((restarted.home / "spool").iterdir()), what="an empty spool")
    # The entries' time has run since they were received.
    waits = restarted.rows(
        "SELECT abs(extract(epoch FROM expires_at - received_at) - 90) < 1 FROM job JOIN alert ON alert.job_id = job.id"
        " WHERE expires_at IS NOT NULL"
    )
    assert [(True,)] * 3 == waits


def test_without_a_spool_the_sender_is_asked_for_a_resend(tapped: ReceiverProcess, to_postgres: WireTap) -> None:
    spool = tapped.home / "spool"
    to_postgres.refuse()
    spool.rename(spool.with_name("gone"))
    spool.touch()
    try:
        assert_asks_for_a_resend(tapped.post(ENTRY))
    finally:
        spool.unlink()
        spool.with_name("gone").rename(spool)
    to_postgres.restore()
    until(lambda: tapped.post(ENTRY).json().get("spooled") is None)
    assert 2 <= tapped.count("job")


def test_senders_who_wait_for_the_hooks_of_a_frozen_postgres_are_all_answered_in_time(
    database_url: str, start_receiver: StartReceiver
) -> None:
    """One read that fails answers everyone who waited for it: the receiver waits once, not once for each."""
    with WireTap(database_url) as wire:
        wire.block()
        receiver = start_receiver(through=wire.url, timeout_s=1.0)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(receiver.post, [ENTRY] * 8))
        waits = receiver.log().count(GIVEN_UP)

        assert {503} == {answer.status_code for answer in answers}
        assert waits <= 3
        assert 503 == receiver.get("/ready").status_code


def test_an_alert_that_postgres_refuses_stays_in_a_file(tapped: ReceiverProcess, to_postgres: WireTap) -> None:
    """Its hook is gone, as in a database that was restored from before."""
    to_postgres.refuse()
    assert_spooled(tapped.post(ENTRY))
    tapped.execute("DELETE FROM alert")
    tapped.execute("DELETE FROM hook")
    to_postgres.restore()
    spool = tapped.home / "spool"
    until(lambda: [".rejected"] == [path.suffix for path in spool.iterdir()], what="a file that is kept")
    (name,) = [path.name for path in spool.iterdir()]
    ((account_id, message),) = tapped.rows(
        "SELECT account_id, message FROM account_event WHERE kind = 'alerts_not_stored'"
    )
    assert ACCOUNT == account_id
    assert message.startswith(
        "an accepted alert is not stored and trades nothing: Postgres refuses an alert of hook first"
    )
    assert message.endswith(f"see {name}")
    assert message in tapped.log()

    for path in spool.iterdir():
        path.unlink()
