"""Logins, tokens and request limits behave as at the venue."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.fixtures.forked import freeze_limits_clock
from tests.fixtures.venue import RunningVenue, StartVenue, starting_venues


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    with starting_venues(tmp_path_factory.mktemp("logins")) as start:
        yield start()


def post(venue: RunningVenue, path: str, token: str, body: object = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.post(f"{venue.url}/api/{path}", json=body, headers=headers, timeout=30)


def log_in(venue: RunningVenue, body: object) -> requests.Response:
    return requests.post(f"{venue.url}/api/Auth/loginKey", json=body, timeout=30)


def is_valid(venue: RunningVenue, token: str) -> bool:
    return post(venue, "Account/search", token, {"onlyActiveAccounts": True}).status_code == 200


def test_ping_needs_no_token(venue: RunningVenue) -> None:
    assert "pong" == requests.get(f"{venue.url}/api/Status/ping", timeout=30).json()


def test_login_app_is_code_4(venue: RunningVenue) -> None:
    body = dict.fromkeys(("userName", "password", "deviceId", "appId", "verifyKey"), "x")
    answers = [requests.post(f"{venue.url}/api/Auth/loginApp", json=sent, timeout=30) for sent in (body, {})]

    assert (200, 4, None) == (answers[0].status_code, answers[0].json()["errorCode"], answers[0].json()["token"])
    assert 400 == answers[1].status_code


def test_a_user_name_ignores_case(venue: RunningVenue) -> None:
    answer = log_in(venue, {"userName": venue.user.upper(), "apiKey": venue.key}).json()

    assert (True, 0) == (answer["success"], answer["errorCode"])
    assert is_valid(venue, answer["token"])


@pytest.mark.parametrize(("user", "key"), [("a-trader", "wrong"), ("unknown-user", "a-key-for-tests"), ("", "")])
def test_a_wrong_user_or_key_is_code_3(venue: RunningVenue, user: str, key: str) -> None:
    answer = log_in(venue, {"userName": user, "apiKey": key})

    assert 200 == answer.status_code
    assert {"token": None, "success": False, "errorCode": 3, "errorMessage": None} == answer.json()


def test_a_login_without_its_key_is_a_400(venue: RunningVenue) -> None:
    answer = log_in(venue, {"userName": venue.user})

    assert 400 == answer.status_code
    assert answer.headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_a_bad_token_is_a_401_without_a_body(venue: RunningVenue, token: str) -> None:
    answer = post(venue, "Account/search", token, {"onlyActiveAccounts": True})

    assert (401, b"") == (answer.status_code, answer.content)


def test_another_login_leaves_the_first_token_valid(venue: RunningVenue) -> None:
    first, second = venue.log_in(), venue.log_in()

    assert first != second
    assert is_valid(venue, first)
    assert is_valid(venue, second)


def test_validate_answers_with_a_new_token(venue: RunningVenue) -> None:
    answer = post(venue, "Auth/validate", venue.log_in()).json()

    assert answer["success"]
    assert is_valid(venue, answer["newToken"])


def test_a_logout_ends_its_token(venue: RunningVenue) -> None:
    token = venue.log_in()
    post(venue, "Auth/logout", token)

    assert not is_valid(venue, token)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("Order/place", b"{"),
        ("Order/place", b"[]"),
        ("Order/place", b'{"accountId":20001,"contractId":"CON.F.US.MNQ.H26","type":"Market","side":0,"size":1}'),
        ("Order/place", b'{"accountId":99999999999,"contractId":"CON.F.US.MNQ.H26","type":2,"side":0,"size":1}'),
        ("Order/place", b'{"accountId":20001,"contractId":"\\ud800","type":2,"side":0,"size":1}'),
        ("Order/search", b'{"accountId":20001,"startTimestamp":"yesterday"}'),
        ("Order/search", b'{"accountId":20001,"startTimestamp":"0001-01-01T00:00:00+14:00"}'),
        ("Order/v2/query", b'{"filter":{"accountId":20001},"pageSize":0}'),
        ("Account/search", b""),
    ],
)
def test_a_body_that_does_not_bind_is_a_400_with_a_problem(venue: RunningVenue, path: str, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {venue.log_in()}"}
    answer = requests.post(f"{venue.url}/api/{path}", data=body, headers=headers, timeout=30)

    assert 400 == answer.status_code
    assert answer.json()["errors"]


def test_unknown_fields_are_ignored(venue: RunningVenue) -> None:
    assert venue.post("/api/Account/search", onlyActiveAccounts=True, colour="green")["success"]


def test_the_first_account_is_a_practice_account(venue: RunningVenue) -> None:
    (account,) = venue.post("/api/Account/search", onlyActiveAccounts=True)["accounts"]

    assert venue.account_id == account["id"]
    assert account["name"].startswith("PRAC-")
    assert (True, True, 50_000) == (account["canTrade"], account["simulated"], account["balance"])


def test_tokens_survive_a_crash(start_venue: StartVenue) -> None:
    venue = start_venue()
    token = venue.log_in()
    venue.restart()

    assert is_valid(venue, token)


def test_requests_beyond_the_limits_are_429s(start_venue: StartVenue) -> None:
    venue = start_venue(limits=True, change=freeze_limits_clock)
    token = venue.log_in()
    bars = {
        "contractId": "CON.F.US.MNQ.H26", "live": False, "unit": 2, "unitNumber": 1, "limit": 1,
        "includePartialBar": False, "startTime": "2026-03-10T14:00:00Z", "endTime": "2026-03-10T15:00:00Z",
    }  # fmt: skip
    bars_statuses = [post(venue, "History/retrieveBars", token, bars).status_code for _ in range(52)]
    others = [post(venue, "Account/search", token, {"onlyActiveAccounts": True}).status_code for _ in range(201)]

    assert [200] * 50 + [429] * 2 == bars_statuses
    assert [200] * 199 + [429] * 2 == others  # the login was the first of the 200


def test_a_second_simulator_on_the_same_state_refuses_to_start(start_venue: StartVenue, tmp_path: Path) -> None:
    venue = start_venue()
    with starting_venues(tmp_path) as start, pytest.raises(AssertionError, match="in use by another simulator"):
        start()

    assert venue.is_ready()
