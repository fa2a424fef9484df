"""The faults of requests happen as documented, as often as they are armed."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from threading import Event
from types import SimpleNamespace
from typing import get_args
from uuid import uuid4

import pytest
from requests import ConnectionError as ConnectionFailedError
from requests import request

from shared.clock import machine_now
from simulator import pipeline
from simulator.faults import STREAM_KINDS, Fault, RequestKind
from tests.fixtures.hubs import StartHubs
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ, FaultDetails, RunningVenue, starting_venues
from tests.fixtures.venue_core import VenueCore

PLACE = "/api/Order/place"


@pytest.fixture(scope="module")
def shared_venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    with starting_venues(tmp_path_factory.mktemp("faults")) as start:
        yield start()


@pytest.fixture
def venue(shared_venue: RunningVenue) -> Iterator[RunningVenue]:
    yield shared_venue
    shared_venue.remove_faults()


@pytest.fixture
def tag() -> str:
    return str(uuid4())


def test_lose_answer_after_loses_the_answer_and_keeps_the_order(venue: RunningVenue, tag: str) -> None:
    venue.faults(path=PLACE, kind="lose_answer_after")
    with pytest.raises(ConnectionFailedError):
        venue.place(customTag=tag)

    assert 1 == venue.accepted_tags().count(tag)
    assert 2 == venue.place(customTag=tag)["errorCode"]


def test_lose_before_loses_the_request_without_any_effect(venue: RunningVenue, tag: str) -> None:
    venue.faults(path=PLACE, kind="lose_before", count=2)
    for _ in range(2):
        with pytest.raises(ConnectionFailedError):
            venue.place(customTag=tag)

    assert 0 == venue.accepted_tags().count(tag)
    assert venue.place(customTag=tag)["success"]


def send_and_hang_up(port: int, token: str, tag: str, has_read: Callable[[], bool]) -> None:
    """Send an order, and close the connection before its answer, but after the venue has read it."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    order = {"accountId": 20001, "contractId": MNQ, "type": 2, "side": 0, "size": 1, "customTag": tag}
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("POST", PLACE, json.dumps(order), headers)
    until(has_read, what="the order's arrival")
    connection.close()


def test_a_delayed_answer_leaves_the_order_of_a_client_that_has_gone(venue: RunningVenue, tag: str) -> None:
    venue.faults(path=PLACE, kind="delay", seconds=600)
    send_and_hang_up(venue.port, venue.log_in(), tag, lambda: has_arrived(venue, tag))

    assert 1 == venue.accepted_tags().count(tag)


def has_arrived(venue: RunningVenue, tag: str) -> bool:
    return tag in {sent.get("customTag") for sent in venue.requests(PLACE)}


def test_a_delayed_request_takes_effect_after_the_client_has_gone(
    hubs_here: StartHubs, venue_core: VenueCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    delays, is_released = list[float](), Event()

    async def wait_for_release(seconds: float) -> None:
        delays.append(seconds)
        await asyncio.to_thread(is_released.wait)

    monkeypatch.setattr(pipeline, "asyncio", SimpleNamespace(sleep=wait_for_release))
    server = hubs_here()
    server.pipeline.faults.arm(Fault(kind="delay_before", on=PLACE, count=1, seconds=1.5))
    send_and_hang_up(server.port, server.log_in(), "late", lambda: bool(delays))
    before = server.call(venue_core.venue.state.accepted_tags)
    is_released.set()

    assert ([1.5], []) == (delays, before)
    until(lambda: ["late"] == server.call(venue_core.venue.state.accepted_tags), what="the order")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_status_fault_answers_without_any_effect(venue: RunningVenue, tag: str, status: int) -> None:
    venue.faults(path=PLACE, kind="status", status=status)
    body = {"accountId": venue.account_id, "contractId": "CON.F.US.MNQ.H26", "type": 2, "side": 0, "size": 1}

    assert status == venue.send(PLACE, body | {"customTag": tag}).status_code
    assert 0 == venue.accepted_tags().count(tag)


def test_a_reject_fault_answers_its_code_without_any_effect(venue: RunningVenue, tag: str) -> None:
    venue.faults(path=PLACE, kind="reject", error_code=6, message="Order is pending.")
    answer = venue.place(customTag=tag)

    assert (False, 6, "Order is pending.") == (answer["success"], answer["errorCode"], answer["errorMessage"])
    assert 0 == venue.accepted_tags().count(tag)


def test_a_fault_of_one_path_does_not_delay_another_path(venue: RunningVenue, tag: str) -> None:
    venue.faults(path="/api/Account/search", kind="delay", seconds=600)

    assert venue.place(customTag=tag)["success"]


def test_removed_faults_no_longer_happen(venue: RunningVenue, tag: str) -> None:
    venue.faults(path=PLACE, kind="status", count=50)
    venue.remove_faults()

    assert venue.place(customTag=tag)["success"]


def test_the_latest_request_bodies_can_be_read(venue: RunningVenue, tag: str) -> None:
    venue.place(customTag=tag)

    assert tag == venue.requests(PLACE)[-1]["customTag"]
    assert all("apiKey" not in body for body in venue.requests("/api/Auth/loginKey"))


def test_a_429_may_have_a_retry_after_in_seconds_or_as_a_date(venue: RunningVenue) -> None:
    found = []
    variants: list[FaultDetails] = [
        {"status": 429}, {"status": 429, "retry_after": 7}, {"status": 429, "retry_after": 7, "retry_after_as": "date"},
    ]  # fmt: skip
    for details in variants:
        asked_at = machine_now()
        venue.faults(path=PLACE, kind="status", **details)
        found.append(venue.send(PLACE, {}).headers.get("Retry-After"))

    nothing, seconds, date = found
    assert (None, "7") == (nothing, seconds)
    assert date is not None
    seven = timedelta(seconds=7)
    assert asked_at + seven - timedelta(seconds=1) < parsedate_to_datetime(date) <= machine_now() + seven


def test_a_duplicate_request_gets_the_second_answer_and_its_tag_prevents_a_second_order(
    venue: RunningVenue, tag: str
) -> None:
    venue.faults(path=PLACE, kind="duplicate")
    answer = venue.place(customTag=tag)

    assert (2, "Specified custom tag is already in use") == (answer["errorCode"], answer["errorMessage"])
    assert 1 == venue.accepted_tags().count(tag)


def test_trap_15_an_order_without_a_tag_that_arrives_twice_trades_twice(venue: RunningVenue) -> None:
    before = len(
        venue.post("/api/Order/search", accountId=venue.account_id, startTimestamp="2026-03-01T00:00:00Z")["orders"]
    )
    venue.faults(path=PLACE, kind="duplicate")
    assert venue.place()["success"]

    after = len(
        venue.post("/api/Order/search", accountId=venue.account_id, startTimestamp="2026-03-01T00:00:00Z")["orders"]
    )
    assert before + 2 == after


@pytest.mark.parametrize("kind", ["status", "lose_answer_after", "delay"])
def test_trap_15_after_any_lost_answer_the_tag_shows_whether_the_order_exists(
    venue: RunningVenue, tag: str, kind: str
) -> None:
    venue.faults(path=PLACE, kind=kind, seconds=600)
    order = {"accountId": venue.account_id, "contractId": MNQ, "type": 2, "side": 0, "size": 1, "customTag": tag}
    if kind == "delay":
        send_and_hang_up(venue.port, venue.log_in(), tag, lambda: has_arrived(venue, tag))
    else:
        with contextlib.suppress(ConnectionFailedError):
            venue.send(PLACE, order)
    is_accepted = tag in venue.accepted_tags()

    assert (kind != "status") == is_accepted
    assert is_accepted == (venue.place(customTag=tag)["errorCode"] == 2)


def test_trap_01_a_business_failure_has_status_200(venue: RunningVenue) -> None:
    for path, body in (
        ("/api/Order/place", {"accountId": 1, "contractId": MNQ, "type": 2, "side": 0, "size": 1}),
        ("/api/Order/searchOpen", {"accountId": 1}),
        ("/api/Contract/searchById", {"contractId": "CON.F.US.NOPE.Z26"}),
        ("/api/Position/closeContract", {"accountId": venue.account_id, "contractId": "CON.F.US.NOPE.Z26"}),
    ):
        answer = venue.send(path, body)
        assert (200, False) == (answer.status_code, answer.json()["success"]), path


def test_end_token_ends_the_token_during_a_session(venue: RunningVenue) -> None:
    venue.log_in()
    venue.faults(path="/api/Account/search", kind="end_token")
    body = {"onlyActiveAccounts": False}

    assert [401, 401] == [venue.send("/api/Account/search", body).status_code for _ in range(2)]
    venue.log_in()
    assert 200 == venue.send("/api/Account/search", body).status_code


def test_a_fault_with_a_probability_hits_about_its_share_and_the_same_requests_again(venue: RunningVenue) -> None:
    def statuses() -> list[int]:
        venue.control("PUT", "faults", {"kind": "status", "on": "/api/Account/search", "probability": 0.3})
        return [venue.send("/api/Account/search", {"onlyActiveAccounts": True}).status_code for _ in range(100)]

    first = statuses()

    assert {200, 500} == set(first)
    assert 15 <= first.count(500) <= 45
    assert first == statuses()


def test_a_fault_without_count_stays_armed_and_counts_how_often_it_happened(venue: RunningVenue, tag: str) -> None:
    venue.control("PUT", "faults", [{"kind": "reject", "on": PLACE, "count": 2}, {"kind": "delay", "seconds": 0}])
    answers = [venue.place(customTag=tag)["success"] for _ in range(3)]

    assert [False, False, True] == answers
    assert [(0, 2), (None, 1)] == [(row["left"], row["met"]) for row in venue.control("GET", "faults").json()]


def test_a_storm_fails_about_its_share_of_the_requests_in_many_ways(venue: RunningVenue) -> None:
    venue.control("PUT", "faults", {"preset": "storm", "probability": 0.2, "seed": 3})
    kinds = {row["kind"] for row in venue.control("GET", "faults").json()}

    def search_accounts(_: int) -> None:
        with contextlib.suppress(ConnectionFailedError):
            venue.send("/api/Account/search", {"onlyActiveAccounts": True})

    venue.log_in()
    with ThreadPoolExecutor(15) as pool:  # some answers are delayed
        list(pool.map(search_accounts, range(150)))
    rows = venue.control("GET", "faults").json()

    assert set(get_args(RequestKind)) - {"reject"} | STREAM_KINDS == kinds
    assert 20 <= sum(row["met"] for row in rows) <= 100
    assert 5 <= sum(row["met"] > 0 for row in rows)


@pytest.mark.parametrize(
    ("fault", "detail_part"),
    [
        ({"kind": "status", "on": "/api/Order/plaice"}, "/api/Order/place"),
        ({"kind": "hub_drop", "on": PLACE}, "leave"),
        ({"kind": "stautus"}, "stautus"),
        ({"kind": "status", "probability": 2}, "probability"),
        ({"kind": "status", "count": 0}, "count"),
    ],
)
def test_an_invalid_fault_is_refused_with_a_reason(
    venue: RunningVenue, fault: dict[str, object], detail_part: str
) -> None:
    answer = request("PUT", f"{venue.control_url}/sim/faults", json=fault, timeout=30)

    assert 400 == answer.status_code
    assert detail_part in answer.json()["detail"]
