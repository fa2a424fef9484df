"""Requests without a known token: one address may ask for a few that do not exist."""

from uuid import uuid4

import requests

from tests.fixtures.api_client import ApiClient
from tests.fixtures.receiver_process import ENTRY, ReceiverProcess, StartReceiver
from tests.fixtures.wire_tap import WireTap

pytest_plugins = ("tests.fixtures.receiver",)

MISSES = 10
RECEIVER_CONSTANTS = {"web.receiver.limits:WRONG_CREDENTIALS_PER_MINUTE": MISSES}
NOTHING = "upkeep.do_nothing"


def wrong_token() -> str:
    return f"tw_{uuid4().hex}{'x' * 11}"


def assert_too_many(answer: requests.Response, what: str) -> None:
    headers = answer.headers
    assert (429, "60", "close") == (answer.status_code, headers["Retry-After"], headers["Connection"])
    assert f"too many {what} from your address" == answer.json()["detail"]


def test_wrong_api_tokens_become_a_429_and_one_that_was_valid_before_is_still_served(
    api: ApiClient, to_postgres: WireTap
) -> None:
    assert 202 == api.request(NOTHING).status_code
    statuses = [api.request(NOTHING, token=wrong_token()).status_code for _ in range(3 * MISSES)]
    heard = len(to_postgres.heard)
    answers = [api.request(NOTHING, token=wrong_token()) for _ in range(50)]

    assert {401, 429} == set(statuses)
    assert_too_many(answers[-1], "wrong API tokens")
    assert to_postgres.heard[heard:].count(b"FROM api_token") < 25  # no query for each of them
    assert 429 == api.request(NOTHING, token="malformed").status_code
    assert 202 == api.request(NOTHING).status_code


def test_unknown_jobs_become_a_429_and_cost_no_database_work_then(
    receiver: ReceiverProcess, to_postgres: WireTap
) -> None:
    statuses = [receiver.get(f"/jobs/{uuid4()}").status_code for _ in range(3 * MISSES)]
    heard = len(to_postgres.heard)
    answers = [receiver.get(f"/jobs/{uuid4()}") for _ in range(50)]

    assert {404, 429} == set(statuses)
    assert_too_many(answers[-1], "unknown jobs asked for")
    assert to_postgres.heard[heard:].count(b"FROM job") < 25
    assert 202 == receiver.post(ENTRY).status_code


def test_the_addresses_of_one_ipv6_line_share_their_limits(start_receiver: StartReceiver) -> None:
    """Anyone has at least 2 ** 64 of them."""
    receiver = start_receiver(proxy_count=1, constants=RECEIVER_CONSTANTS)
    addresses = [f"2001:db8:0:1::{number:x}" for number in range(1, 3 * MISSES)]
    headers = {"Authorization": f"Bearer {wrong_token()}"}
    urls = {"GET": f"/jobs/{uuid4()}", "POST": f"/v1/jobs/{NOTHING}"}
    for method, path in urls.items():
        found = {
            requests.request(
                method, receiver.url + path, headers=headers | {"X-Forwarded-For": address}, timeout=200
            ).status_code
            for address in addresses
        }
        assert 429 in found, method
    tokens = {receiver.post(ENTRY, "wrong", **{"X-Forwarded-For": address}).status_code for address in addresses}
    assert {404, 429} == tokens
    assert 404 == receiver.post(ENTRY, "wrong", **{"X-Forwarded-For": "2001:db8:0:2::1"}).status_code
