"""The routes without a token: the state of a job without figures, and the OpenAPI document."""

import json
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import validate

from shared.ledger import jobs
from shared.ledger.job_scope import requestable_jobs
from tests.fixtures.api_client import ApiClient
from tests.fixtures.receiver_process import ACCOUNT, ENTRY, ReceiverProcess, StartReceiver

pytest_plugins = ("tests.fixtures.receiver",)

TRACEBACK = 'Traceback (most recent call last):\n  File "/srv/a.py", line 7\nValueError: PRACTICE-77 has 21500.25'
BODIES: list[tuple[str, dict[str, Any]]] = [
    ("upkeep.do_nothing", {}),
    ("upkeep.do_nothing", {"note": "a", "seconds": 1}),
    ("upkeep.do_nothing", {"seconds": "1"}),
    ("upkeep.do_nothing", {"second": 1}),
    ("market_data.fetch_bars", {"slot": "2026-11-23T14:30:00Z"}),
    ("market_data.fetch_bars", {}),
    ("market_data.fetch_bars", {"slot": 5}),
    ("accounts.snapshot_accounts", {}),
    ("accounts.snapshot_accounts", {"account_id": 1}),
]


@pytest.fixture
def document(receiver: ReceiverProcess) -> dict[str, Any]:
    answer = receiver.get("/v1/openapi.json")
    assert (200, "application/json") == (answer.status_code, answer.headers["Content-Type"])
    return dict(answer.json())


@pytest.mark.parametrize(
    ("state", "error", "result", "reason"),
    [
        (
            "failed",
            f"RiskLimitError: account {ACCOUNT} may lose 1234.50",
            None,
            "the risk rules of the account denied it",
        ),
        ("failed", "a text of another kind, about 21500.25", None, "it was refused"),
        ("dead", TRACEBACK, None, "it has used up its attempts and stays dead until the operator acts"),
        ("succeeded", None, {"account": "PRACTICE-77", "price": 21500.25, "id": ACCOUNT}, "it succeeded"),
        ("succeeded", None, {"nothing_to_do": "+3 is held, 21500.25"}, "there was nothing to do"),
    ],
)
def test_the_open_job_has_a_reason_without_figures_accounts_or_tracebacks(
    receiver: ReceiverProcess, state: str, error: str | None, result: object, reason: str
) -> None:
    job_id = receiver.post(ENTRY).json()["job_id"]
    values = {"state": state, "error": error, "result": json.dumps(result)}
    change = "UPDATE job SET state = :state, error = :error, result = CAST(:result AS jsonb), finished_at = now()"
    receiver.execute(change, **values)

    answer = receiver.get(f"/jobs/{job_id}")

    assert {"job_id", "name", "state", "reason", "enqueued_at", "started_at", "finished_at"} == answer.json().keys()
    assert (job_id, state, reason) == tuple(answer.json()[name] for name in ("job_id", "state", "reason"))
    for secret in (str(ACCOUNT), "PRACTICE-77", "21500.25", "1234.50", "Traceback", "a.py"):
        assert secret not in answer.text


def test_the_document_is_valid_and_has_a_path_for_every_job(document: dict[str, Any]) -> None:
    validate(document)

    ours = [type_ for type_ in requestable_jobs() if type_.__module__.startswith(jobs.__name__)]  # not those of tests
    assert {f"/v1/jobs/{type_.job_name()}" for type_ in ours} | {"/v1/jobs/{job_id}"} == set(document["paths"])


def test_the_document_accepts_the_same_bodies_as_the_receiver(document: dict[str, Any], api: ApiClient) -> None:
    for job, body in BODIES:
        operation = document["paths"][f"/v1/jobs/{job}"]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        answer = api.request(job, body)
        assert (answer.status_code == 202) is _validator(document, schema).is_valid(body), (job, body)


def test_every_answer_matches_its_schema(document: dict[str, Any], api: ApiClient) -> None:
    operation = document["paths"]["/v1/jobs/upkeep.do_nothing"]["post"]
    requested = api.request("upkeep.do_nothing")
    answers = {
        "202": requested,
        "400": api.request("upkeep.do_nothing", b""),
        "401": api.request("upkeep.do_nothing", token="wrong"),
        "403": api.request("upkeep.do_nothing", token=api.add_token("other", "orders.poll_fills")),
        "413": api.request("upkeep.do_nothing", b" " * 20_000),
        "422": api.request("upkeep.do_nothing", {"note": 1}),
    }
    for status, answer in answers.items():
        assert status == str(answer.status_code)
        response = operation["responses"][status]
        if "$ref" in response:
            response = document["components"]["responses"][status]
        (schema,) = (media["schema"] for media in response["content"].values())
        _validator(document, schema).validate(answer.json())
    details = document["components"]["schemas"]["JobDetails"]
    _validator(document, details).validate(api.follow(requested.json()["job_id"]).json())


def test_with_a_public_url_jobs_and_their_status_are_still_at_the_address_on_this_computer(
    start_receiver: StartReceiver,
) -> None:
    receiver = start_receiver(public_url="https://alerts.example.com")

    status_url = receiver.post(ENTRY).json()["status_url"]

    assert status_url.startswith(f"{receiver.url}/jobs/")
    assert [{"url": receiver.url}] == receiver.get("/v1/openapi.json").json()["servers"]


def _validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema | {"components": document["components"]})
