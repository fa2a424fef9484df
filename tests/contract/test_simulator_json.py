"""The simulator reads JSON as the venue's framework does: names in any case, numbers in strings; the rest is a 400."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.venue import MNQ, RunningVenue, starting_venues

APP = '"userName": "u", "password": "p", "deviceId": "d", "appId": "a", "verifyKey": "v"'
LIMIT = {"contractId": MNQ, "type": 1, "side": 0, "size": 1, "limitPrice": 20000}


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    with starting_venues(tmp_path_factory.mktemp("json")) as start:
        yield start()


def order_body(venue: RunningVenue, changes: dict[str, Any]) -> str:
    """Return the JSON of a limit order; a change to None leaves the field out."""
    fields = {"accountId": venue.account_id, **LIMIT} | changes
    return json.dumps({name: value for name, value in fields.items() if value is not None})


def send_raw(venue: RunningVenue, path: str, raw: str) -> tuple[int, dict[str, Any]]:
    venue.log_in()
    answer = venue.http.post(f"{venue.url}{path}", data=raw, headers={"Content-Type": "application/json"}, timeout=60)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"size": "2"}, {"size": 2}),
        ({"limitPrice": "20000.25"}, {"limitPrice": 20000.25}),
        ({"limitPrice": "2.000025e4"}, {"limitPrice": 20000.25}),
        ({"limitPrice": 2.000025e4}, {"limitPrice": 20000.25}),
        ({"contractId": None, "CONTRACTID": MNQ, "size": None, "Size": 3}, {"size": 3}),
        ({"nonsense": {"deep": [1, 2]}}, {"size": 1}),
        ({"nonsense": 1e300}, {"size": 1}),
        ({"customTag": None}, {"customTag": None}),
    ],
)
def test_json_that_the_framework_reads_is_taken(
    venue: RunningVenue, changes: dict[str, Any], shown: dict[str, Any]
) -> None:
    status, answer = send_raw(venue, "/api/Order/place", order_body(venue, changes))

    assert (200, True) == (status, answer["success"]), answer
    order = venue.order(answer["orderId"])
    assert shown == {name: order[name] for name in shown}


def test_the_last_of_two_fields_with_one_name_counts(venue: RunningVenue) -> None:
    raw = f'{{"ACCOUNTID": 7, "accountId": "{venue.account_id}"}}'
    status, answer = send_raw(venue, "/api/Order/searchOpen", raw)

    assert (200, True) == (status, answer["success"])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"size": "two"}, "$.size"),
        ({"size": " 2"}, "$.size"),
        ({"size": "+2"}, "$.size"),
        ({"size": "2.0"}, "$.size"),
        ({"size": 2.5}, "$.size"),
        ({"size": "99999999999"}, "$.size"),
        ({"size": "9" * 5000}, "$.size"),
        ({"size": "1\u0660"}, "$.size"),  # an Arabic digit
        ({"limitPrice": "1e99999999999999999999"}, "$.limitPrice"),
        ({"size": True}, "$.size"),
        ({"limitPrice": "NaN"}, "$.limitPrice"),
        ({"limitPrice": "20_000"}, "$.limitPrice"),
        ({"limitPrice": ""}, "$.limitPrice"),
        ({"limitPrice": [20000]}, "$.limitPrice"),
        ({"type": "1"}, "$.type"),  # enumerations are numbers
        ({"side": "Bid"}, "$.side"),
        ({"stopLossBracket": {"ticks": "-20", "type": "4"}}, "$.stopLossBracket.type"),
        ({"contractId": 7}, "$.contractId"),
        ({"contractId": None}, "$"),
    ],
)
def test_json_that_the_framework_refuses_is_a_400_that_names_the_field(
    venue: RunningVenue, changes: dict[str, Any], field: str
) -> None:
    status, problem = send_raw(venue, "/api/Order/place", order_body(venue, changes))

    assert 400 == status
    assert {field, "request"} == set(problem["errors"])


def test_a_number_too_large_for_any_type_is_ignored_where_nothing_is_expected_and_else_a_400(
    venue: RunningVenue,
) -> None:
    body = f'{{"accountId": {venue.account_id}, "nonsense": 1e99999999999999999999}}'

    assert 200 == send_raw(venue, "/api/Order/searchOpen", body)[0]
    assert 400 == send_raw(venue, "/api/Order/searchOpen", '{"accountId": 1e99999999999999999999}')[0]
    assert 400 == send_raw(venue, "/api/Auth/loginKey", '{"userName": 1e99999999999999999999, "apiKey": "k"}')[0]


@pytest.mark.parametrize("raw", ["", "null", "[]", "{", '{"accountId": 1,}', "// note\n{}", "{'accountId': 1}"])
def test_a_body_that_is_no_json_object_is_a_400(venue: RunningVenue, raw: str) -> None:
    assert 400 == send_raw(venue, "/api/Order/searchOpen", raw)[0]


@pytest.mark.parametrize(("levels", "status"), [(32, 200), (33, 400), (3_000, 400)])
def test_json_may_be_nested_as_deep_as_the_framework_reads(venue: RunningVenue, levels: int, status: int) -> None:
    nested = "[" * (levels - 1) + "]" * (levels - 1)

    assert status == send_raw(venue, "/api/Order/searchOpen", f'{{"accountId": {venue.account_id}, "x": {nested}}}')[0]
    assert status == send_raw(venue, "/api/Auth/loginKey", f'{{"userName": "u", "apiKey": "k", "x": {nested}}}')[0]
    assert status == send_raw(venue, "/api/Auth/loginApp", f'{{{APP}, "x": {nested}}}')[0]


def test_a_body_that_is_not_utf_8_is_a_400(venue: RunningVenue) -> None:
    venue.log_in()
    answer = venue.http.post(
        f"{venue.url}/api/Order/searchOpen",
        data=b'{"accountId": "\xff"}',
        headers={"Content-Type": "application/json"},
        timeout=60,
    )

    assert 400 == answer.status_code


@pytest.mark.parametrize("body", [b"[" * 3_000 + b"]" * 3_000, b'"\xff"'])
@pytest.mark.parametrize("path", ["faults", "market", "clock", "behaviour", "users"])
def test_the_control_port_refuses_endless_json_and_text_that_is_not_utf_8(
    venue: RunningVenue, path: str, body: bytes
) -> None:
    assert 400 == venue.own.put(f"{venue.control_url}/sim/{path}", data=body, timeout=60).status_code


@pytest.mark.parametrize(
    ("instant", "is_read"),
    [
        ("2026-03-10", True),
        ("2026-03-10T15:00", True),
        ("2026-03-10T15:00Z", True),
        ("2026-03-10T15:00:00.1234567Z", True),
        ("2026-03-10T15:00:00+02:00", True),
        ("2026-03-10 15:00:00", False),
        ("10/03/2026", False),
        (1773154800, False),
        ("1773154800", False),
    ],
)
def test_an_instant_is_read_in_the_forms_of_iso_8601_only(
    venue: RunningVenue, instant: object, is_read: object
) -> None:
    body = json.dumps({"accountId": str(venue.account_id), "startTimestamp": instant})

    assert (200 if is_read else 400) == send_raw(venue, "/api/Order/search", body)[0]
