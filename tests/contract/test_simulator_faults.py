"""The misfortunes a test can arm do what they say, once for each time they are armed."""

import asyncio
import contextlib
import json
import re
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
    shared_venue.forget_faults()


@pytest.fixture
def tag() -> str:
    return str(uuid4())


def test_an_answer_is_lost_after_the_order_was_taken(venue: RunningVenue, tag: str) -> None:
    venue.faults(path=PLACE, kind="lose_answer_after")
    with pytest.raises(ConnectionFailedError):
        venue.place(customTag=tag)

    assert 1 == venue.accepted_tags().count(tag)
    assert 2 == venue.place(customTag=tag)["errorCode"]


def test_a_request_is_lost_before_anything_happened(venue: RunningVenue, tag: str) -> None:
    venue.faults(path=PLACE, kind="lose_before", count=2)
    for _ in range(2):
        with pytest.raises(ConnectionFailedError):
            venue.place(customTag=tag)

    assert 0 == venue.accepted_tags().count(tag)
    assert venue.place(customTag=tag)["success"]


def send_and_hang_up(port: int, token: str, tag: str, has_read: Callable[[], bool]) -> None:
    """Send an order, and be gone before there is an answer, but not before the venue has read it."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    order = {"accountId": 20001, "contractId": MNQ, "type": 2, "side": 0, "size": 1, "customTag": tag}
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("POST", PLACE, json.dumps(order), headers)
    until(has_read, what="the order's arrival")
    connection.close()


def test_a_delayed_answer_comes_after_the_client_has_gone_and_the_order_is_there(venue: RunningVenue, tag: str) -> None:
    venue.faults(path=PLACE, kind="delay", seconds=600)
    send_and_hang_up(venue.port, venue.log_in(), tag, lambda: has_read(venue, tag))

    assert 1 == venue.accepted_tags().count(tag)


def has_read(venue: RunningVenue, tag: str) -> bool:
    return tag in {sent.get("customTag") for sent in venue.requests(PLACE)}


def test_a_delayed_request_takes_effect_after_the_client_has_gone(
    hubs_here: StartHubs, venue_core: VenueCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    delays, is_over = list[float](), Event()

    async def held(seconds: float) -> None:
        delays.append(seconds)
        await asyncio.to_thread(is_over.wait)

    monkeypatch.setattr(pipeline, "asyncio", SimpleNamespace(sleep=held))
    server = hubs_here()
    server.pipeline.faults.arm(Fault(kind="delay_before", on=PLACE, count=1, seconds=1.5))
    send_and_hang_up(server.port, server.log_in(), "late", lambda: bool(delays))
    before = server.call(venue_core.venue.state.accepted_tags)
    is_over.set()

    assert ([1.5], []) == (delays, before)
    until(lambda: ["late"] == server.call(venue_core.venue.state.accepted_tags), what="the order")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_status_is_answered_and_nothing_done(venue: RunningVenue, tag: str, status: int) -> None:
    venue.faults(path=PLACE, kind="status", status=status)
    body = {"accountId": venue.account_id, "contractId": "CON.F.US.MNQ.H26", "type": 2, "side": 0, "size": 1}

    assert status == venue.send(PLACE, body | {"customTag": tag}).status_code
    assert 0 == venue.accepted_tags().count(tag)


def test_a_rejection_is_answered_with_its_code_and_nothing_done(venue: RunningVenue, tag: str) -> None:
    venue.faults(path=PLACE, kind="reject", error_code=6, message="Order is pending.")
    answer = venue.place(customTag=tag)

    assert (False, 6, "Order is pending.") == (answer["success"], answer["errorCode"], answer["errorMessage"])
    assert 0 == venue.accepted_tags().count(tag)


def test_a_fault_meets_its_own_path_only_and_others_wait_for_nobody(venue: RunningVenue, tag: str) -> None:
    venue.faults(path="/api/Account/search", kind="delay", seconds=600)

    assert venue.place(customTag=tag)["success"]


def test_faults_are_forgotten(venue: RunningVenue, tag: str) -> None:
    venue.faults(path=PLACE, kind="status", count=50)
    venue.forget_faults()

    assert venue.place(customTag=tag)["success"]


def test_what_was_asked_can_be_looked_at(venue: RunningVenue, tag: str) -> None:
    venue.place(customTag=tag)

    assert tag == venue.requests(PLACE)[-1]["customTag"]
    assert all("apiKey" not in body for body in venue.requests("/api/Auth/loginKey"))


def place_resting(venue: RunningVenue) -> int:
    """Place a stop a thousand points above the market, where it waits, and return its id."""
    wanted = {
        "contractId": MNQ, "live": False, "startTime": "2026-03-10T14:00:00Z", "endTime": "2026-03-10T15:00:00Z",
        "unit": 2, "unitNumber": 1, "limit": 1, "includePartialBar": False,
    }  # fmt: skip
    last = venue.post("/api/History/retrieveBars", **wanted)["bars"][0]["c"]
    answer = venue.place(type=4, stopPrice=last + 1000)
    assert answer["success"], answer
    order_id: int = answer["orderId"]
    return order_id


def test_a_429_may_say_when_to_come_again_in_seconds_or_as_a_date(venue: RunningVenue) -> None:
    found = []
    ways: list[FaultDetails] = [
        {"status": 429}, {"status": 429, "retry_after": 7}, {"status": 429, "retry_after": 7, "retry_after_as": "date"},
    ]  # fmt: skip
    for details in ways:
        asked_at = machine_now()
        venue.faults(path=PLACE, kind="status", **details)
        found.append(venue.send(PLACE, {}).headers.get("Retry-After"))

    nothing, seconds, date = found
    assert (None, "7") == (nothing, seconds)
    assert date is not None
    seven = timedelta(seconds=7)
    assert asked_at + seven - timedelta(seconds=1) < parsedate_to_datetime(date) <= machine_now() + seven


def test_a_request_that_arrives_twice_is_answered_as_the_second_and_its_tag_saves_it(
    venue: RunningVenue, tag: str
) -> None:
    venue.faults(path=PLACE, kind="duplicate")
    answer = venue.place(customTag=tag)

    assert (2, "Specified custom tag is already in use") == (answer["errorCode"], answer["errorMessage"])
    assert 1 == venue.accepted_tags().count(tag)


def test_trap_15_a_mutation_without_tag_that_is_sent_twice_trades_twice(venue: RunningVenue) -> None:
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
def test_trap_15_after_any_lost_answer_the_tag_tells_whether_the_order_is_there(
    venue: RunningVenue, tag: str, kind: str
) -> None:
    venue.faults(path=PLACE, kind=kind, seconds=600)
    order = {"accountId": venue.account_id, "contractId": MNQ, "type": 2, "side": 0, "size": 1, "customTag": tag}
    if kind == "delay":
        send_and_hang_up(venue.port, venue.log_in(), tag, lambda: has_read(venue, tag))
    else:
        with contextlib.suppress(ConnectionFailedError):
            venue.send(PLACE, order)
    is_there = tag in venue.accepted_tags()

    assert (kind != "status") == is_there
    assert is_there == (venue.place(customTag=tag)["errorCode"] == 2)


def test_trap_01_a_failure_of_business_has_status_200(venue: RunningVenue) -> None:
    for path, body in (
        ("/api/Order/place", {"accountId": 1, "contractId": MNQ, "type": 2, "side": 0, "size": 1}),
        ("/api/Order/searchOpen", {"accountId": 1}),
        ("/api/Contract/searchById", {"contractId": "CON.F.US.NOPE.Z26"}),
        ("/api/Position/closeContract", {"accountId": venue.account_id, "contractId": "CON.F.US.NOPE.Z26"}),
    ):
        answer = venue.send(path, body)
        assert (200, False) == (answer.status_code, answer.json()["success"]), path


def test_a_token_ends_in_the_middle_of_a_session(venue: RunningVenue) -> None:
    venue.log_in()
    venue.faults(path="/api/Account/search", kind="end_token")
    body = {"onlyActiveAccounts": False}

    assert [401, 401] == [venue.send("/api/Account/search", body).status_code for _ in range(2)]
    venue.log_in()
    assert 200 == venue.send("/api/Account/search", body).status_code


@pytest.mark.parametrize(("kind", "said"), [("null_list", {"accounts": None}), ("absent_list", {})])
def test_a_list_is_null_or_absent(venue: RunningVenue, kind: str, said: dict[str, None]) -> None:
    venue.faults(kind=kind)
    answer = venue.post("/api/Account/search", onlyActiveAccounts=False)

    assert {"success": True, "errorCode": 0, "errorMessage": None} | said == answer
    assert venue.post("/api/Account/search", onlyActiveAccounts=False)["accounts"]


@pytest.mark.parametrize(
    ("kind", "form"), [("naive_timestamps", r"[-\d]{10}T[:\d]{8}(\.\d{6})?"), ("seven_digits", r"\S{19}\.\d{7}\+00:00")]
)
def test_instants_come_without_offset_or_with_seven_digits(venue: RunningVenue, kind: str, form: str) -> None:
    order_id = place_resting(venue)
    exact = venue.order(order_id)
    venue.faults(kind=kind)
    odd = venue.order(order_id)
    venue.forget_faults()
    venue.faults(kind=kind)
    searched = venue.post("/api/Order/searchOpen", accountId=venue.account_id)["orders"][-1]

    assert exact == odd  # it is no list: the fault waits for one
    assert re.fullmatch(form, searched["creationTimestamp"])
    assert order_id == searched["id"]
    assert exact["creationTimestamp"][:19] == searched["creationTimestamp"][:19]


def test_an_enumeration_has_a_value_nobody_knows(venue: RunningVenue) -> None:
    place_resting(venue)
    venue.faults(kind="unknown_enum")

    assert {99} == {row["status"] for row in venue.post("/api/Order/searchOpen", accountId=20001)["orders"]}


def test_what_is_open_comes_as_it_was_when_it_was_last_asked(venue: RunningVenue) -> None:
    def open_ids() -> list[int]:
        return [row["id"] for row in venue.post("/api/Order/searchOpen", accountId=venue.account_id)["orders"]]

    before = open_ids()
    order_id = place_resting(venue)
    venue.faults(kind="stale_search_open")

    assert order_id not in before
    assert before == open_ids()
    assert order_id in open_ids()


def test_a_page_of_bars_is_half_as_long_and_prices_stay_exact(venue: RunningVenue) -> None:
    wanted = {
        "contractId": MNQ, "live": False, "startTime": "2026-03-10T14:00:00Z", "endTime": "2026-03-10T15:00:00Z",
        "unit": 2, "unitNumber": 1, "limit": 60, "includePartialBar": False,
    }  # fmt: skip
    whole = venue.send("/api/History/retrieveBars", wanted)
    venue.faults(kind="short_page")
    short = venue.send("/api/History/retrieveBars", wanted)

    assert 60 == len(whole.json()["bars"])
    assert whole.json()["bars"][:30] == short.json()["bars"]
    assert short.text.removesuffix(short.text[short.text.index("]") :]) in whole.text


def test_a_fault_with_a_probability_meets_about_as_many_and_the_same_again(venue: RunningVenue) -> None:
    def statuses() -> list[int]:
        venue.control("PUT", "faults", {"kind": "status", "on": "/api/Account/search", "probability": 0.3})
        return [venue.send("/api/Account/search", {"onlyActiveAccounts": True}).status_code for _ in range(100)]

    first = statuses()

    assert {200, 500} == set(first)
    assert 15 <= first.count(500) <= 45
    assert first == statuses()


def test_a_fault_without_count_stays_and_says_how_often_it_was_met(venue: RunningVenue, tag: str) -> None:
    venue.control("PUT", "faults", [{"kind": "reject", "on": PLACE, "count": 2}, {"kind": "delay", "seconds": 0}])
    answers = [venue.place(customTag=tag)["success"] for _ in range(3)]

    assert [False, False, True] == answers
    assert [(0, 2), (None, 1)] == [(row["left"], row["met"]) for row in venue.control("GET", "faults").json()]


def test_the_storm_lets_about_a_twentieth_go_wrong_in_many_ways(venue: RunningVenue) -> None:
    venue.control("PUT", "faults", {"preset": "storm", "probability": 0.2, "seed": 3})
    kinds = {row["kind"] for row in venue.control("GET", "faults").json()}

    def ask(_: int) -> None:
        with contextlib.suppress(ConnectionFailedError):
            venue.send("/api/Account/search", {"onlyActiveAccounts": True})

    venue.log_in()
    with ThreadPoolExecutor(15) as pool:  # some are answered late
        list(pool.map(ask, range(150)))
    rows = venue.control("GET", "faults").json()

    assert set(get_args(RequestKind)) - {"reject"} | STREAM_KINDS == kinds
    assert 20 <= sum(row["met"] for row in rows) <= 100
    assert 5 <= sum(row["met"] > 0 for row in rows)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"kind": "status", "on": "/api/Order/plaice"}, "/api/Order/place"),
        ({"kind": "hub_drop", "on": PLACE}, "leave"),
        ({"kind": "stautus"}, "stautus"),
        ({"kind": "status", "probability": 2}, "probability"),
        ({"kind": "status", "count": 0}, "count"),
    ],
)
def test_a_fault_that_could_never_happen_is_refused_with_a_reason(
    venue: RunningVenue, fault: dict[str, object], why: str
) -> None:
    answer = request("PUT", f"{venue.control_url}/sim/faults", json=fault, timeout=30)

    assert 400 == answer.status_code
    assert why in answer.json()["detail"]
