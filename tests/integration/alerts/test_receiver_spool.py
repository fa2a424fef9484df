"""The spool of a receiver: what holds it up, what fills it, and what time its alerts count from."""

import base64
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

from shared.clock import machine_now
from shared.db.alerts.hooks import Hook
from shared.domain.alerts.parse import parse_alert
from shared.ids import new_id
from tests.fixtures.processes import until
from tests.fixtures.receiver_process import ACCOUNT, ENTRY, UNLIMITED, ReceiverProcess, StartReceiver
from tests.fixtures.wire_tap import WireTap
from web.receiver.incoming import Incoming
from web.receiver.spool_record import encode

RECEIVER_TIMEOUT_S = 1.0  # instead of 1.5, for a quick test
RECEIVER_CONSTANTS = {"web.receiver.alert_store:_RETRY_FILES_EVERY_S": 0.2}
STORED = "every spooled alert is stored"
VERDICTS = "SELECT external_id, verdict FROM alert ORDER BY id"
pytest_plugins = ("tests.fixtures.receiver",)


def hook_id_of(receiver: ReceiverProcess) -> UUID:
    found: UUID = receiver.rows("SELECT id FROM hook WHERE name = 'first'")[0][0]
    return found


def test_a_key_that_another_transaction_holds_keeps_no_other_alert_out_of_postgres(receiver: ReceiverProcess) -> None:
    receiver.post(ENTRY | {"id": "before"})
    key = f"alert:{hook_id_of(receiver)}:id:held"
    with psycopg.connect(receiver.database_url) as other:
        other.execute(
            "INSERT INTO job_key (idempotency_key, job_id, kept_until) VALUES (%s, %s, now() + interval '1 day')",
            (key, new_id()),
        )
        held = receiver.post(ENTRY | {"id": "held"})
        assert held.json()["spooled"]
        for number in range(5):
            assert 202 == receiver.post(ENTRY | {"id": f"free {number}"}).status_code
        assert 202 == receiver.post({"action": "close", "symbol": "MNQ"}).status_code

        until(lambda: receiver.count("job") == 7, 100, "every alert but the one whose key is held")
        assert [] == receiver.rows("SELECT 1 FROM alert WHERE external_id = 'held'")
        other.rollback()

    until(lambda: receiver.count("job") == 8, 100, "the alert whose key was held")
    assert [(held.json()["job_id"],)] == receiver.rows("SELECT job_id::text FROM alert WHERE external_id = 'held'")
    until(lambda: not list((receiver.home / "spool").iterdir()), what="an empty spool")


def test_postgres_ends_the_transaction_of_a_receiver_that_is_frozen_in_it(
    receiver: ReceiverProcess, to_postgres: WireTap
) -> None:
    in_transaction = (
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'tickwork receiver' AND state = 'idle in transaction' "
        "AND query LIKE '%INTO job_key%'"
    )
    close = {"action": "close", "symbol": "MNQ", "time": "1"}
    receiver.post(close)
    receiver.age_alerts(2)  # so the same body is another alert, which takes the key that follows the first one's
    to_postgres.block_after(b":after:")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(receiver.post, close)
        until(lambda: receiver.rows(in_transaction) != [], 100, "a transaction that holds the key")
        os.kill(receiver.process.pid, signal.SIGSTOP)
        try:
            until(lambda: receiver.rows(in_transaction) == [], 100, "the end of that transaction")
        finally:
            os.kill(receiver.process.pid, signal.SIGCONT)
            to_postgres.restore()
        assert 202 == answer.result().status_code
    until(lambda: receiver.count("job") == 2, 100, "the alert, stored from the spool")


def test_a_full_spool_asks_for_a_resend_and_a_refused_alert_fills_none(
    database_url: str, start_receiver: StartReceiver
) -> None:
    with WireTap(database_url) as wire:
        receiver = start_receiver(through=wire.url, timeout_s=1.0, constants={"web.receiver.spool:_MOST_BYTES": 1.0})
        until(lambda: receiver.post(ENTRY | {"id": "before"}).status_code == 202, 100, "an alert accepted")
        until(lambda: receiver.count("job") == 1, 100, "that alert stored")
        stored = receiver.log().count(STORED)
        wire.refuse()

        for _ in range(3):
            assert 422 == receiver.post(ENTRY | {"quantity": 0}).status_code
        assert [] == list((receiver.home / "spool").iterdir())
        assert receiver.post(ENTRY | {"id": "first"}).json()["spooled"]
        answers = [receiver.post(ENTRY | {"id": f"more {number}"}) for number in range(20)]
        assert {(503, "5")} == {(answer.status_code, answer.headers["Retry-After"]) for answer in answers}
        assert 503 == receiver.get("/ready").status_code
        assert 1 == receiver.log().count("the spool takes no alert: it is full")

        wire.restore()
        until(lambda: receiver.log().count(STORED) > stored, 100, "an empty spool")
        assert [("before", "accepted"), ("first", "accepted")] == receiver.rows(VERDICTS)
        assert 202 == receiver.post(ENTRY | {"id": "after"}).status_code


def test_an_alert_that_the_spool_does_not_take_while_it_is_stored_goes_to_postgres(
    start_receiver: StartReceiver,
) -> None:
    receiver = start_receiver(timeout_s=1.0, constants={"web.receiver.spool:_MOST_BYTES": 1.0})
    key = f"alert:{hook_id_of(receiver)}:id:held"
    with psycopg.connect(receiver.database_url) as other:
        other.execute(
            "INSERT INTO job_key (idempotency_key, job_id, kept_until) VALUES (%s, %s, now() + interval '1 day')",
            (key, new_id()),
        )
        assert receiver.post(ENTRY | {"id": "held"}).json()["spooled"]

        answer = receiver.post(ENTRY | {"id": "free"})
        assert (202, False) == (answer.status_code, answer.json().get("spooled", False))
        assert {"status": "ready"} == receiver.get("/ready").json()
        assert [("free", "accepted")] == receiver.rows(VERDICTS)
        other.rollback()

    until(lambda: receiver.count("job") == 2, 100, "the alert whose key was held")


def test_alerts_go_to_postgres_again_though_the_disk_takes_no_changes(
    receiver: ReceiverProcess, to_postgres: WireTap
) -> None:
    spool, failed = receiver.home / "spool", "cannot be taken away"
    receiver.post(ENTRY)
    to_postgres.refuse()
    assert receiver.post(ENTRY | {"id": "spooled"}).json()["spooled"]
    spool.rename(spool.with_name("gone"))
    spool.touch()  # so no file can be removed from it, or added to it
    try:
        to_postgres.restore()
        until(lambda: receiver.count("job") == 2, 100, "the spooled alert in Postgres")
        rows = to_postgres.heard.count(b'"external_id":"spooled"')
        answer = receiver.post(ENTRY | {"id": "later"})
        assert (202, False) == (answer.status_code, answer.json().get("spooled", False))
        until(lambda: receiver.get("/ready").json() == {"status": "ready"}, 100, "a receiver that spools no more")
        assert 202 == receiver.post(ENTRY | {"id": "last"}).status_code
        assert (4, rows) == (receiver.count("job"), to_postgres.heard.count(b'"external_id":"spooled"'))
        assert 1 == receiver.log().count(failed)
    finally:
        spool.unlink()
        spool.with_name("gone").rename(spool)
    until(lambda: not list(spool.iterdir()), 100, "an empty spool")
    assert rows == to_postgres.heard.count(b'"external_id":"spooled"')


def test_a_file_of_the_spool_that_cannot_be_read_keeps_no_alert_out_of_postgres(
    start_receiver: StartReceiver,
) -> None:
    receiver = start_receiver(constants=RECEIVER_CONSTANTS)
    hook_id = hook_id_of(receiver)
    receiver.kill()
    unread = receiver.home / "spool" / f"{new_id()}.spool"
    unread.mkdir()
    leave_in_spool(receiver, hook_id, machine_now())

    receiver.start_again()

    until(lambda: receiver.get("/ready").json() == {"status": "ready"}, 100, "a receiver that spools no more")
    assert [("Long", "accepted")] == receiver.rows(VERDICTS)
    assert not receiver.post(ENTRY | {"id": "later"}).json().get("spooled", False)
    assert "an earlier process has left alerts in the spool" in receiver.log()
    assert "Postgres is away" not in receiver.log()
    assert 1 == receiver.log().count(f"{unread.name} in the spool")


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (timedelta(seconds=5), [("Long", "accepted")]),
        (timedelta(minutes=10), [("Long", "accepted"), ("Long", "refused")]),
    ],
    ids=["a resend", "another alert"],
)
@pytest.mark.parametrize("is_first_stored", [False, True], ids=["in one commit", "in two commits"])
def test_the_age_of_a_spooled_alert_with_a_known_id_is_that_of_its_receipt(
    start_receiver: StartReceiver, gap: timedelta, expected: list[tuple[str, str]], *, is_first_stored: bool
) -> None:
    receiver = start_receiver()
    first_at = machine_now() - timedelta(hours=1)
    hook_id = hook_id_of(receiver)
    receiver.kill()
    if is_first_stored:
        leave_in_spool(receiver, hook_id, first_at)
        receiver.start_again()
        until(lambda: STORED in receiver.log(), 100, "the first one stored")
        receiver.kill()
        leave_in_spool(receiver, hook_id, first_at + gap)
    else:
        leave_in_spool(receiver, hook_id, first_at, first_at + gap)
    stored = receiver.log().count(STORED)

    receiver.start_again()

    until(lambda: receiver.log().count(STORED) > stored, 100, "an empty spool")
    verdicts = receiver.rows("SELECT coalesce(external_id, payload->>'id'), verdict FROM alert ORDER BY id")
    assert expected == verdicts
    assert 1 == receiver.count("job")


def leave_in_spool(receiver: ReceiverProcess, hook_id: UUID, *received_at: datetime) -> None:
    """Leave entries with the id of every entry of a strategy in one file, as a receiver that was killed leaves it."""
    body: dict[str, Any] = ENTRY | {"id": "Long"}
    raw = msgspec.json.encode(body)
    hook = Hook(hook_id, "first", b"", None, None, ACCOUNT, UNLIMITED, machine_now(), None, None)
    lines = [encode(Incoming(new_id(), new_id(), hook, raw, parse_alert(raw), None, at)) for at in received_at]
    file = receiver.home / "spool" / f"{new_id()}.spool"
    file.write_bytes(b"".join(base64.b64encode(line) + b"\n" for line in lines))
