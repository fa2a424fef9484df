"""The control endpoints of the simulator, on a separate port for programs on this computer."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from requests import Response, get, post, request

from simulator.faults import STREAM_KINDS, RequestKind
from tests.fixtures.forked import freeze_limits_clock
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ, RunningVenue, StartVenue, starting_venues

DOCUMENTATION = Path(__file__).resolve().parents[2] / "docs" / "reference" / "simulator.md"
BARS = "/api/History/retrieveBars"


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    """A stepped venue with a practice, a Combine and an Express account."""
    with starting_venues(tmp_path_factory.mktemp("control")) as start:
        yield start(options=["--stepped", "--accounts", "PRAC,50KTC,EXPRESS"])


def call_control(venue: RunningVenue, method: str, path: str, body: object = None, **headers: str) -> Response:
    return request(method, f"{venue.control_url}/sim/{path}", json=body, headers=headers, timeout=30)


def log_in(venue: RunningVenue, user: str, key: str) -> dict[str, Any]:
    answer: dict[str, Any] = post(
        f"{venue.url}/api/Auth/loginKey", json={"userName": user, "apiKey": key}, timeout=30
    ).json()
    return answer


def test_the_list_names_every_control_endpoint_and_the_venues_port_serves_none_of_them(venue: RunningVenue) -> None:
    listed = get(f"{venue.control_url}/sim", timeout=30).json()["endpoints"]

    assert {"/sim", "/sim/status", "/sim/requests", "/sim/faults", "/sim/market", "/sim/behaviour", "/sim/clock",
            "/sim/users", "/sim/accounts", "/sim/accounts/{id}"} == {row["path"] for row in listed}  # fmt: skip
    for endpoint in listed:
        assert 404 == request(endpoint["method"], f"{venue.url}{endpoint['path']}", timeout=30).status_code
        assert 404 == request(endpoint["method"], f"{venue.url}/simulator/status", timeout=30).status_code
    assert 404 == get(f"{venue.control_url}/api/Status/ping", timeout=30).status_code


def test_a_request_of_a_web_site_in_a_browser_is_refused(venue: RunningVenue) -> None:
    assert 403 == call_control(venue, "GET", "status", Origin="https://example.com").status_code
    assert 403 == call_control(venue, "DELETE", "faults", Host="example.com").status_code
    assert 200 == call_control(venue, "GET", "status", Origin=venue.control_url).status_code


def test_the_status_shows_the_market_and_the_accounts(venue: RunningVenue) -> None:
    status = venue.get_status()

    assert (True, True, "off") == (status["is_stepped"], status["is_open"], status["limits"])
    assert ["practice", "combine", "express"] == [account["stage"] for account in status["accounts"]][:3]
    assert [50_000, 50_000, 0] == [account["balance"] for account in status["accounts"]][:3]


def test_accounts_of_the_command_line_are_opened_once(start_venue: StartVenue) -> None:
    venue = start_venue(options=["--accounts", "PRAC,100KTC"])
    venue.restart()

    assert [20001, 20002] == [account["id"] for account in venue.get_status()["accounts"]]


def test_a_stepped_market_moves_only_by_steps(venue: RunningVenue) -> None:
    before = venue.get_status()["market_now"]
    assert before == venue.get_status()["market_now"]
    moved = call_control(venue, "PUT", "clock", {"step": 90}).json()["market_now"]

    assert timedelta(seconds=90) == datetime.fromisoformat(moved) - datetime.fromisoformat(before)


def test_a_market_that_runs_by_itself_cannot_be_stepped(start_venue: StartVenue) -> None:
    answer = call_control(start_venue(), "PUT", "clock", {"step": 1})

    assert 409 == answer.status_code
    assert "stepped" in answer.json()["detail"]


def test_a_price_follows_a_scripted_path(venue: RunningVenue) -> None:
    steps = [{"open": 25000.25, "price": 25000.25}, {"price": "25010.00", "seconds": 10, "volume": 50}]
    answer = call_control(venue, "PUT", "market", {"contract": "MNQ", "steps": steps})
    call_control(venue, "PUT", "clock", {"step": 11})
    venue.place(customTag="at the scripted price")
    call_control(venue, "PUT", "clock", {"step": 1})
    trades = venue.post("/api/Trade/search", accountId=venue.account_id, startTimestamp="2026-03-10T00:00:00Z")[
        "trades"
    ]

    assert MNQ == answer.json()["contract_id"]
    assert 25010 == trades[0]["price"]


def test_a_request_with_wait_is_answered_once_the_price_has_reached_the_end_of_its_path(
    start_venue: StartVenue,
) -> None:
    venue = start_venue(speed=10)
    steps = [{"price": 25000, "seconds": 2}, {"price": 25010, "seconds": 3}]
    answer = call_control(venue, "PUT", "market", {"contract": "MNQ", "steps": steps, "wait": True}).json()
    began, ends, now = (
        datetime.fromisoformat(answer[name]) for name in ("starts_market_at", "ends_market_at", "market_now")
    )
    venue.place()
    until(lambda: 1 == venue.position(), what="the fill")
    (position,) = venue.post("/api/Position/searchOpen", accountId=venue.account_id)["positions"]

    assert began + timedelta(seconds=5) == ends <= now
    assert 25010 == position["averagePrice"]


def test_a_stepped_market_refuses_to_wait_for_a_path(venue: RunningVenue) -> None:
    answer = call_control(venue, "PUT", "market", {"contract": "MNQ", "steps": [{"price": 25000}], "wait": True})

    assert 409 == answer.status_code
    assert "PUT /sim/clock" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "detail_part"),
    [
        ({"contract": "NOPE", "steps": []}, 404, "MNQ"),
        ({"contract": MNQ, "steps": [{"price": 25000.1}]}, 400, "tick"),
        ({"contract": MNQ, "steps": [{"price": 25000, "seconds": 0}]}, 400, "seconds"),
        ({"contract": MNQ, "step": []}, 400, "step"),
    ],
)
def test_an_invalid_path_is_refused_with_a_reason(
    venue: RunningVenue, body: dict[str, object], status: int, detail_part: str
) -> None:
    answer = call_control(venue, "PUT", "market", body)

    assert status == answer.status_code
    assert detail_part in answer.json()["detail"]


def test_another_user_logs_in_and_sees_only_their_own_accounts(venue: RunningVenue) -> None:
    assert [venue.user, "bea"] == call_control(venue, "PUT", "users", {"user": "Bea", "key": "beas key"}).json()[
        "users"
    ]
    account = call_control(venue, "POST", "accounts", {"user": "bea", "stage": "combine", "size": 100_000}).json()
    token = log_in(venue, "BEA", "beas key")["token"]
    found = post(f"{venue.url}/api/Account/search", json={"onlyActiveAccounts": True}, timeout=30,
                 headers={"Authorization": f"Bearer {token}"}).json()["accounts"]  # fmt: skip

    assert 3 == log_in(venue, "bea", venue.key)["errorCode"]
    assert [(account["id"], 100_000)] == [(row["id"], row["balance"]) for row in found]


def test_an_invalid_user_or_account_is_refused_with_a_reason(venue: RunningVenue) -> None:
    answers = [
        (400, call_control(venue, "PUT", "users", {"user": venue.user, "key": "another"})),
        (404, call_control(venue, "POST", "accounts", {"user": "unknown-user", "stage": "combine"})),
        (400, call_control(venue, "POST", "accounts", {"stage": "combine", "size": 1})),
        (400, call_control(venue, "POST", "accounts", {"stage": "champion"})),
        (404, call_control(venue, "PUT", "accounts/1", {"can_trade": False})),
        (404, call_control(venue, "PUT", "accounts/x", {"can_trade": False})),
        (400, call_control(venue, "PUT", f"accounts/{venue.account_id}", {"canTrade": False})),
    ]

    for status, answer in answers:
        assert status == answer.status_code, answer.text
        assert answer.json()["detail"]


def test_an_accounts_settings_change_the_answers_to_its_orders(venue: RunningVenue) -> None:
    account_id = call_control(venue, "POST", "accounts", {"stage": "practice"}).json()["id"]
    order = {"accountId": account_id, "contractId": MNQ, "type": 2, "side": 0, "size": 1}
    bracket = {"stopLossBracket": {"ticks": -40, "type": 4}}
    call_control(venue, "PUT", f"accounts/{account_id}", {"bracket_mode": "position"})
    with_bracket = venue.post("/api/Order/place", **order, **bracket)
    shown = call_control(venue, "PUT", f"accounts/{account_id}", {"can_trade": False}).json()

    assert "Auto OCO" in with_bracket["errorMessage"]
    assert (False, False) == (shown["can_trade"], shown["may_trade"])
    assert 10 == venue.post("/api/Order/place", **order)["errorCode"]


def test_requests_are_counted_by_path_and_login_bodies_are_not_kept(venue: RunningVenue) -> None:
    venue.log_in()
    venue.post("/api/Account/search", onlyActiveAccounts=True)
    found = call_control(venue, "GET", "requests").json()

    assert found["counts"]["/api/Account/search"] >= 1
    assert {"onlyActiveAccounts": True} == venue.requests("/api/Account/search")[-1]
    assert [{}] == venue.requests("/api/Auth/loginKey")[-1:]
    assert venue.key not in call_control(venue, "GET", "requests").text + call_control(venue, "GET", "status").text


@pytest.mark.parametrize(("limits", "most"), [("on", 50), ("30", 30)])
def test_bars_have_a_separate_window_and_429s_are_counted_by_user(
    start_venue: StartVenue, limits: str, most: int
) -> None:
    venue = start_venue(limits=limits, change=freeze_limits_clock)
    statuses = [venue.send(BARS, {}).status_code for _ in range(most + 3)]

    assert [400] * most + [429] * 3 == statuses
    assert 200 == venue.send("/api/Account/search", {"onlyActiveAccounts": True}).status_code
    assert {venue.user: {BARS: 3}} == call_control(venue, "GET", "requests").json()["limited"]


def test_each_user_has_separate_windows_and_logins_count_in_them(start_venue: StartVenue) -> None:
    venue = start_venue(limits="on", change=freeze_limits_clock)
    call_control(venue, "PUT", "users", {"user": "bea", "key": "beas key"})
    statuses = [
        post(f"{venue.url}/api/Auth/loginKey", json={"userName": "Bea", "apiKey": "wrong"}, timeout=30).status_code
        for _ in range(202)
    ]

    assert [200] * 200 + [429] * 2 == statuses
    assert {"bea": {"/api/Auth/loginKey": 2}} == call_control(venue, "GET", "requests").json()["limited"]
    assert venue.log_in()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_example_of_the_documentation_works(start_venue: StartVenue) -> None:
    venue = start_venue(options=["--stepped"])
    examples = re.findall(r"^curl .*", DOCUMENTATION.read_text(), re.MULTILINE)
    port = str(venue.control_port)

    assert 12 == len(examples)
    for example in examples:
        strict = example.replace("curl", "curl --silent --show-error --fail-with-body", 1)
        command = f"SIM=http://127.0.0.1:{port}/sim; {strict}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
        assert 0 == done.returncode, (example, done.stdout, done.stderr)


def test_the_documentation_names_every_kind_of_fault_and_every_endpoint(venue: RunningVenue) -> None:
    text = DOCUMENTATION.read_text()

    assert all(f"`{kind}`" in text for kind in (*STREAM_KINDS, *get_args(RequestKind)))
    assert all(endpoint["path"] in text for endpoint in get(f"{venue.control_url}/sim", timeout=30).json()["endpoints"])
