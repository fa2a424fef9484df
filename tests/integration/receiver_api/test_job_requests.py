"""POST /v1/jobs/{name} and GET /v1/jobs/{id}: an answer 202 means one committed job, within the scope of the token."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg

from tests.fixtures.api_client import ApiClient
from tests.fixtures.broker import Broker
from tests.fixtures.processes import until
from tests.fixtures.receiver_process import ENTRY, ReceiverProcess
from web.receiver.body import MAX_BYTES

pytest_plugins = ("tests.fixtures.receiver",)

# Wide enough for every wrong token of these tests; test_anonymous_requests.py shows the limit.
RECEIVER_CONSTANTS = {"web.receiver.anonymous_work:MOST_WAITING": 30}

NOTHING = "upkeep.do_nothing"
CONTRACT = "CON.F.US.MNQ.Z26"


def test_a_requested_job_is_committed_and_can_be_followed(api: ApiClient, receiver: ReceiverProcess) -> None:
    answer = api.request(NOTHING, {"note": "from a program"})

    job_id = answer.json()["job_id"]
    status_url = f"{receiver.url}/v1/jobs/{job_id}"
    assert 202 == answer.status_code
    assert {"job_id": job_id, "status_url": status_url, "duplicate": False} == answer.json()
    assert status_url == answer.headers["Location"]
    stored = receiver.rows("SELECT id::text, name, queue, arguments->>'note', expires_at FROM job")
    assert [(job_id, NOTHING, "normal", "from a program", None)] == stored
    followed = api.follow(job_id)
    assert (200, NOTHING, "queued", 0) == (
        followed.status_code,
        *(followed.json()[name] for name in ("name", "state", "attempt")),
    )
    assert followed.json()["correlation_id"] == job_id


def test_a_requested_job_wakes_its_queue(api: ApiClient, broker: Broker) -> None:
    job_id = api.request(NOTHING).json()["job_id"]

    until(lambda: any(job_id == headers["id"] for headers in broker.take("normal")), 60)


def test_the_holder_of_a_token_sees_the_result_and_the_error(api: ApiClient, receiver: ReceiverProcess) -> None:
    job_id = api.request(NOTHING).json()["job_id"]
    ended = "state = 'dead', finished_at = now(), error = 'ValueError: x'"
    receiver.execute(f"UPDATE job SET {ended}, result = jsonb_build_object('balance', 50000)")

    assert ({"balance": 50_000}, "ValueError: x") == tuple(
        api.follow(job_id).json()[name] for name in ("result", "error")
    )


def test_a_wrong_argument_is_a_422_that_names_it(api: ApiClient, receiver: ReceiverProcess) -> None:
    answers = [api.request(NOTHING, body) for body in ({"seconds": "three"}, {"secnds": 3}, b'{"note": 1.5}')]

    assert [(422, "seconds"), (422, "secnds"), (422, "note")] == [
        (answer.status_code, answer.json()["field"]) for answer in answers
    ]
    assert "application/problem+json" == answers[0].headers["Content-Type"]
    assert "invalid seconds 'three': expected `int`, got `str`" == answers[0].json()["detail"]
    assert 400 == api.request(NOTHING, b"{").status_code
    assert 0 == receiver.count("job")


def test_every_invalid_token_gets_the_same_401(api: ApiClient, receiver: ReceiverProcess) -> None:
    api.add_token("expired", "upkeep.*", valid_for=timedelta(days=-1))
    revoked, expired = api.add_token("revoked", "upkeep.*"), api.add_token("late", "upkeep.*", valid_for=timedelta())
    api.revoke_token("revoked")
    wrong = [
        {},
        {"Authorization": ""},
        {"Authorization": api.token},
        {"Authorization": f"Basic {api.token}"},
        *(
            {"Authorization": f"Bearer {token}"}
            for token in ("", "x", api.token[:-1], f"{api.token}x", f"tw_{'x' * 43}", revoked, expired, "é")
        ),
        {"Authorization": f"Bearer {api.token}, Bearer {api.token}"},
    ]

    for method, what, body in (("POST", NOTHING, b"{}"), ("POST", "no.such_job", b"{"), ("GET", "0" * 32, None)):
        answers = [api.send(method, what, body, headers) for headers in wrong]
        assert {(401, "Bearer", answers[0].content)} == {
            (answer.status_code, answer.headers["WWW-Authenticate"], answer.content) for answer in answers
        }
    assert {"type", "title", "status", "detail", "hint"} == answers[0].json().keys()
    assert 0 == receiver.count("job")
    assert 202 == api.send("POST", NOTHING, b"{}", {"Authorization": f"bearer {api.token}"}).status_code


def test_a_token_requests_and_sees_only_the_jobs_of_its_scope(api: ApiClient, receiver: ReceiverProcess) -> None:
    other = api.add_token("other", "orders.*")
    job_id = api.request(NOTHING).json()["job_id"]

    denied = api.request(NOTHING, token=other)

    assert (403, "application/problem+json") == (denied.status_code, denied.headers["Content-Type"])
    assert "it may request orders.*" in denied.json()["hint"]
    hidden, unknown = api.follow(job_id, token=other), api.follow("0" * 32, token=other)
    assert (404, unknown.content) == (hidden.status_code, hidden.content)
    assert 404 == api.follow("nonsense").status_code
    assert 1 == receiver.count("job")


def test_an_unknown_job_is_a_404_for_a_valid_token(api: ApiClient) -> None:
    answer = api.request("orders.no_such_job")

    assert (404, "unknown job 'orders.no_such_job'") == (answer.status_code, answer.json()["detail"])


def test_a_wrong_method_gets_the_allowed_ones(api: ApiClient) -> None:
    answer = api.send("PUT", NOTHING, b"{}", {})

    assert 405 == answer.status_code
    assert {"GET", "HEAD", "POST"} == set(answer.headers["Allow"].split(", "))


def test_a_body_above_the_limit_is_a_413(api: ApiClient) -> None:
    fits = b"{}".ljust(MAX_BYTES)

    assert [202, 413] == [api.request(NOTHING, body).status_code for body in (fits, fits + b" ")]


def test_the_same_key_and_request_returns_the_first_answer(api: ApiClient, receiver: ReceiverProcess) -> None:
    first = api.request(NOTHING, b'{"note": "a", "seconds": 1}', key='"nightly"')
    again = api.request(NOTHING, b'{ "seconds": 1, "note": "a" }', key="nightly")

    assert (202, first.json() | {"duplicate": True}) == (again.status_code, again.json())
    assert first.headers["Location"] == again.headers["Location"]
    assert 1 == receiver.count("job")


def test_a_key_with_another_request_is_a_422(api: ApiClient, receiver: ReceiverProcess) -> None:
    api.request(NOTHING, {"note": "a"}, key="nightly")

    answers = [
        api.request(NOTHING, {"note": "b"}, key="nightly"),
        api.request("upkeep.canary", key="nightly"),
    ]

    assert [(422, "Idempotency-Key")] * 2 == [(answer.status_code, answer.json()["field"]) for answer in answers]
    assert 1 == receiver.count("job")


def test_a_key_belongs_to_one_token(api: ApiClient, receiver: ReceiverProcess) -> None:
    other = api.add_token("other", NOTHING)

    answers = [api.request(NOTHING, {"note": token}, token=token, key="nightly") for token in (api.token, other)]

    assert [False, False] == [answer.json()["duplicate"] for answer in answers]
    assert 2 == receiver.count("job")


def test_a_refused_request_does_not_use_its_key(api: ApiClient) -> None:
    assert 422 == api.request(NOTHING, {"seconds": "x"}, key="nightly").status_code
    corrected = api.request(NOTHING, key="nightly")
    assert (202, False) == (corrected.status_code, corrected.json()["duplicate"])


def test_twenty_copies_at_once_are_one_requested_job(api: ApiClient, receiver: ReceiverProcess) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: api.request(NOTHING, key="all-at-once"), range(20)))

    assert {202} == {answer.status_code for answer in answers}
    assert 1 == len({answer.json()["job_id"] for answer in answers})
    assert 1 == sum(not answer.json()["duplicate"] for answer in answers)
    assert 1 == receiver.count("job")


def test_without_a_key_every_request_is_a_job(api: ApiClient, receiver: ReceiverProcess) -> None:
    for _ in range(3):
        assert 202 == api.request(NOTHING).status_code

    assert 3 == receiver.count("job")


def test_an_invalid_key_is_a_400(api: ApiClient, receiver: ReceiverProcess) -> None:
    answers = [api.request(NOTHING, key=key) for key in ("x" * 256, '"a')]

    assert [(400, "Idempotency-Key")] * 2 == [(answer.status_code, answer.json()["field"]) for answer in answers]
    assert 0 == receiver.count("job")


def test_a_full_queue_is_a_503_that_asks_for_a_later_request(api: ApiClient, receiver: ReceiverProcess) -> None:
    receiver.execute("INSERT INTO queue_state (queue, queued) VALUES ('background', 100000)")

    answer = api.request("upkeep.delete_old_rows", key="nightly")

    assert (503, "5") == (answer.status_code, answer.headers["Retry-After"])
    assert "background holds 100000 jobs" in answer.json()["detail"]
    receiver.execute("DELETE FROM queue_state")
    later = api.request("upkeep.delete_old_rows", key="nightly")
    assert (202, False) == (later.status_code, later.json()["duplicate"])


def test_a_requested_entry_expires_and_waits_for_its_turn(api: ApiClient, receiver: ReceiverProcess) -> None:
    token = api.add_token("trader", "orders.enter_manually", "orders.guard_position")
    entry = {"account_id": 7, "symbol": "MNQ", "side": "BUY", "quantity": 1, "stop_loss_ticks": 40}

    api.request("orders.enter_manually", entry, token=token)
    api.request("orders.guard_position", {"account_id": 7, "contract_id": CONTRACT}, token=token)

    jobs = receiver.rows("SELECT name, sequence_key, expires_at - enqueued_at FROM job ORDER BY id")
    assert [
        ("orders.enter_manually", None, timedelta(seconds=90)),
        ("orders.guard_position", f"guard:7:{CONTRACT}", None),
    ] == jobs


def test_the_use_of_a_token_is_noted(api: ApiClient, receiver: ReceiverProcess) -> None:
    assert [(None,)] == receiver.rows("SELECT used_at FROM api_token")

    api.request(NOTHING)
    (noted,) = receiver.rows("SELECT used_at FROM api_token WHERE used_at > now() - interval '1 hour'")
    api.request(NOTHING)

    assert [noted] == receiver.rows("SELECT used_at FROM api_token")


def test_requests_that_wait_for_their_tokens_keep_no_connection_from_an_alert(
    api: ApiClient, receiver: ReceiverProcess
) -> None:
    wrong = f"tw_{'x' * 43}"
    with ThreadPoolExecutor(30) as scanner, psycopg.connect(receiver.database_url) as other:
        other.execute("LOCK TABLE api_token")
        answers = [scanner.submit(api.request, NOTHING, token=wrong) for _ in range(30)]
        waiting = (
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%api_token%'"
        )
        until(lambda: receiver.rows(waiting) == [(True,)], 60, "a request that waits for its token")

        assert 202 == receiver.post(ENTRY).status_code
        other.rollback()
        assert {401} == {answer.result().status_code for answer in answers}
