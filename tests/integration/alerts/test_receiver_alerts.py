"""Accepted alerts: an answer 202 means one row and one job, even if the receiver is killed next."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tests.fixtures.broker import Broker
from tests.fixtures.processes import until
from tests.fixtures.receiver_process import ACCOUNT, ENTRY, ReceiverProcess, StartReceiver

pytest_plugins = ("tests.fixtures.receiver",)


def test_an_accepted_alert_is_a_row_and_a_job_with_a_status_url(receiver: ReceiverProcess) -> None:
    raw = b'{"action": "buy", "symbol": "MNQ1!", "quantity": 1.0, "id": 7, "stop_loss_ticks": 40, "note": 1.10}'

    answer = receiver.post(raw)

    job_id = answer.json()["job_id"]
    status_url = f"{receiver.url}/jobs/{job_id}"
    assert 202 == answer.status_code
    assert {"job_id": job_id, "status_url": status_url} == answer.json()
    assert status_url == answer.headers["Location"]
    stored = receiver.rows("SELECT body, payload->>'note', external_id, verdict, job_id::text FROM alert")
    assert [(raw, "1.10", "7", "accepted", job_id)] == stored
    jobs = receiver.rows("SELECT name, arguments->>'alert_id' = (SELECT id::text FROM alert) FROM job")
    assert [("alerts.handle_alert", True)] == jobs
    job = receiver.get(f"/jobs/{job_id}").json()
    assert ("alerts.handle_alert", "queued", "it waits for a worker") == (job["name"], job["state"], job["reason"])


def test_entries_have_a_sequence_and_an_expiry_and_a_close_has_neither(receiver: ReceiverProcess) -> None:
    receiver.post(ENTRY)
    receiver.post({"action": "close", "symbol": "MNQ"})

    jobs = receiver.rows("SELECT queue, sequence_key, expires_at - enqueued_at FROM job ORDER BY id")
    expected: list[tuple[Any, ...]] = [
        ("high", f"entries:{ACCOUNT}:MNQ", timedelta(seconds=90)),
        ("critical", None, None),
    ]
    assert expected == jobs


@pytest.mark.parametrize("value", [b"NaN", b"-Infinity", b"1e9999", b"123456789012345678901234567890"])
def test_a_number_that_jsonb_cannot_store_stops_no_close(receiver: ReceiverProcess, value: bytes) -> None:
    raw = b'{"action": "close", "symbol": "MNQ", "quantity": %s, "take_profit": %s, "note": %s}' % (value, value, value)

    assert 202 == receiver.post(raw).status_code
    assert [(raw, None, "accepted")] == receiver.rows("SELECT body, payload, verdict FROM alert")
    assert [("critical",)] == receiver.rows("SELECT queue FROM job")


def test_the_wake_up_follows_the_commit(receiver: ReceiverProcess, broker: Broker) -> None:
    job_id = receiver.post(ENTRY).json()["job_id"]

    until(lambda: any(job_id == headers["id"] for headers in broker.take("high")), 60)


@pytest.mark.parametrize("broker_url", ["redis://127.0.0.1:1/0", "amqp://me:secret@127.0.0.1:1/"])
def test_an_alert_is_accepted_while_the_broker_is_unreachable(start_receiver: StartReceiver, broker_url: str) -> None:
    receiver = start_receiver(broker_url=broker_url)

    assert 202 == receiver.post(ENTRY).status_code
    assert 1 == receiver.count("job")


def test_a_repeated_alert_is_answered_with_its_first_job(receiver: ReceiverProcess) -> None:
    alert = ENTRY | {"id": "entry-1"}

    first, second = receiver.post(alert), receiver.post(alert)

    assert (202, first.json() | {"duplicate": True}) == (second.status_code, second.json())
    assert (1, 1) == (receiver.count("alert"), receiver.count("job"))


def test_an_id_with_another_time_is_another_alert_and_a_loud_conflict(receiver: ReceiverProcess) -> None:
    receiver.post(ENTRY | {"id": "Long", "timenow": "10:00:00"})

    answer = receiver.post(ENTRY | {"id": "Long", "timenow": "10:00:05"})

    assert (409, "id") == (answer.status_code, answer.json()["field"])
    assert 1 == receiver.count("job")


def test_an_exit_is_never_refused_or_swallowed_for_its_id(receiver: ReceiverProcess) -> None:
    exit_ = {"action": "close", "symbol": "MNQ", "id": "Long"}
    receiver.post(ENTRY | {"id": "Long"})

    answers = [receiver.post(exit_ | more) for more in ({}, {}, {"timenow": "10:00"}, {"timenow": "10:01"})]

    assert [(202, False)] * 4 == [(answer.status_code, "duplicate" in answer.json()) for answer in answers]
    assert (202, True) == (202, receiver.post(exit_ | {"timenow": "10:01"}).json()["duplicate"])


@pytest.mark.parametrize("times", [{}, {"timenow": "10:00:00"}], ids=["no time", "another time"])
def test_an_id_that_comes_again_later_is_a_loud_conflict_and_no_quiet_success(
    receiver: ReceiverProcess, times: dict[str, str]
) -> None:
    """Pine gives every order of one entry the same id: "Long"."""
    receiver.post(ENTRY | {"id": "Long"} | times)
    receiver.age_alerts(minutes=40)

    answer = receiver.post(ENTRY | {"id": "Long"} | dict.fromkeys(times, "10:40:00"))

    assert (409, "id") == (answer.status_code, answer.json()["field"])
    assert "received 40 min ago, so nothing is traded" in answer.text
    assert "{{strategy.order.id}} {{timenow}}" in answer.json()["hint"]


def test_the_same_body_with_the_time_of_its_sending_is_a_resend_whenever_it_comes(receiver: ReceiverProcess) -> None:
    alert = ENTRY | {"id": "Long", "timenow": "2026-03-13T15:00:00Z"}
    receiver.post(alert)
    receiver.age_alerts(minutes=40)

    assert (202, True) == (receiver.post(alert).status_code, receiver.post(alert).json()["duplicate"])


@pytest.mark.parametrize(
    "alert",
    [
        {"action": "close", "symbol": "MNQ", "quantity": 1},
        {"action": "close", "symbol": "MNQ"},
        ENTRY | {"market_position": "long", "market_position_size": 1},
    ],
    ids=["part", "close", "position"],
)
def test_two_alerts_of_one_bar_that_may_close_are_both_taken(
    receiver: ReceiverProcess, alert: dict[str, object]
) -> None:
    """{{time}} is the start of the bar: the second target of an hour is hit with the same body as the first."""
    body = alert | {"time": "2026-03-13T15:00:00Z"}
    answers = [receiver.post(body), receiver.post(body)]
    for _ in range(2):
        receiver.age_alerts(minutes=40)
        answers += [receiver.post(body), receiver.post(body)]

    assert [(202, False), (202, True)] * 3 == [
        (answer.status_code, answer.json().get("duplicate", False)) for answer in answers
    ]
    assert 3 == receiver.count("alert")
    assert [(3,)] == receiver.rows("SELECT count(*) FROM job WHERE name = 'alerts.handle_alert'")


def test_copies_at_once_of_the_second_alert_of_a_bar_are_one_job(receiver: ReceiverProcess) -> None:
    body = {"action": "close", "symbol": "MNQ", "quantity": 1, "time": "2026-03-13T15:00:00Z"}
    receiver.post(body)
    receiver.age_alerts(minutes=40)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: receiver.post(body), range(20)))

    assert [202] * 20 == [answer.status_code for answer in answers]
    assert 1 == len({answer.json()["job_id"] for answer in answers})
    assert 2 == receiver.count("job")


def test_a_second_entry_of_one_bar_with_the_same_body_is_a_loud_conflict(receiver: ReceiverProcess) -> None:
    body = ENTRY | {"time": "2026-03-13T15:00:00Z"}
    receiver.post(body)
    receiver.age_alerts(minutes=40)
    answer = receiver.post(body)

    assert (409, "body") == (answer.status_code, answer.json()["field"])
    assert "the same body was received 40 min ago, so nothing is traded" in answer.text


def test_every_follower_of_a_hook_has_a_job_from_the_commit_of_the_alert_on(receiver: ReceiverProcess) -> None:
    """So no account waits for the one before it, and none is forgotten if that one's job never runs."""
    follower = ACCOUNT + 1
    receiver.execute(
        "INSERT INTO account SELECT (jsonb_populate_record(a, jsonb_build_object("
        "'id', CAST(:follower AS bigint), 'name', 'OTHER'))).* FROM account a WHERE id = :account",
        follower=follower,
        account=ACCOUNT,
    )
    receiver.execute("INSERT INTO hook_follower SELECT id, :follower FROM hook", follower=follower)
    receiver.wait_for_cache()
    job_id = receiver.post(ENTRY).json()["job_id"]

    rows = receiver.rows(
        "SELECT CAST(id AS text) = :job, name, sequence_key, expires_at IS NOT NULL, CAST(sequence_id AS text) = :job,"
        " CAST(correlation_id AS text) = :job FROM job ORDER BY name",
        job=job_id,
    )
    assert [
        (True, "alerts.handle_alert", f"entries:{ACCOUNT}:MNQ", True, True, True),
        (False, "alerts.handle_follower_alert", f"entries:{follower}:MNQ", True, True, True),
    ] == rows
    receiver.post({"action": "close", "symbol": "MNQ"})
    assert [("critical", None)] * 2 == receiver.rows("SELECT queue, sequence_key FROM job WHERE expires_at IS NULL")


def test_two_charts_with_one_id_in_the_same_second_are_no_quiet_duplicate(receiver: ReceiverProcess) -> None:
    statuses = [
        receiver.post(ENTRY | {"id": "Long", "timenow": "10:00:00", "interval": interval}).status_code
        for interval in ("1", "5")
    ]

    assert [202, 409] == statuses


def test_a_slash_at_the_end_of_the_url_is_taken(receiver: ReceiverProcess) -> None:
    assert 202 == receiver.post(ENTRY, f"{receiver.token}/").status_code
    assert 404 == receiver.post(ENTRY, f"{receiver.token}x/").status_code


def test_an_id_reused_for_another_alert_is_a_conflict(receiver: ReceiverProcess) -> None:
    receiver.post(ENTRY | {"id": "entry-1"})

    answer = receiver.post(ENTRY | {"id": "entry-1", "quantity": 2})

    assert (409, "id") == (answer.status_code, answer.json()["field"])
    assert 1 == receiver.count("job")
    assert [("accepted",), ("refused",)] == receiver.rows("SELECT verdict FROM alert ORDER BY id")


def test_an_id_belongs_to_one_hook(receiver: ReceiverProcess) -> None:
    other = receiver.add_hook("second")

    receiver.post(ENTRY | {"id": "entry-1"})
    answer = receiver.post(ENTRY | {"id": "entry-1"}, other)

    assert (202, False) == (answer.status_code, "duplicate" in answer.json())
    assert 2 == receiver.count("job")


def test_without_an_id_a_time_in_the_body_identifies_a_repetition(receiver: ReceiverProcess) -> None:
    for alert in (ENTRY, ENTRY, ENTRY | {"time": "10:00"}, ENTRY | {"time": "10:00"}, ENTRY | {"timenow": "10:01"}):
        assert 202 == receiver.post(alert).status_code

    assert 4 == receiver.count("job")


def test_twenty_copies_at_once_are_one_job(receiver: ReceiverProcess) -> None:
    alert = ENTRY | {"id": "all-at-once"}

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(receiver.post, [alert] * 20))

    assert {202} == {answer.status_code for answer in answers}
    assert 1 == len({answer.json()["job_id"] for answer in answers})
    assert 1 == sum("duplicate" not in answer.json() for answer in answers)
    assert (1, 1) == (receiver.count("alert"), receiver.count("job"))


def test_a_receiver_killed_right_after_its_answers_loses_no_alert(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(receiver.post, [ENTRY] * 40))
    receiver.kill()

    accepted = {answer.json()["job_id"] for answer in answers if answer.status_code == 202}
    stored = {job_id for (job_id,) in receiver.rows("SELECT job_id::text FROM alert JOIN job ON job.id = job_id")}
    assert 40 == len(accepted)
    assert accepted == stored
