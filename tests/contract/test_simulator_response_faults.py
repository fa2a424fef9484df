"""The faults that change the JSON of an answer happen as documented."""

import re
from collections.abc import Iterator

import pytest

from tests.fixtures.venue import MNQ, RunningVenue, starting_venues


@pytest.fixture(scope="module")
def shared_venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    with starting_venues(tmp_path_factory.mktemp("response-faults")) as start:
        yield start()


@pytest.fixture
def venue(shared_venue: RunningVenue) -> Iterator[RunningVenue]:
    yield shared_venue
    shared_venue.remove_faults()


def place_resting(venue: RunningVenue) -> int:
    """Place a stop 1000 points above the market, where it rests, and return its id."""
    wanted = {
        "contractId": MNQ, "live": False, "startTime": "2026-03-10T14:00:00Z", "endTime": "2026-03-10T15:00:00Z",
        "unit": 2, "unitNumber": 1, "limit": 1, "includePartialBar": False,
    }  # fmt: skip
    last = venue.post("/api/History/retrieveBars", **wanted)["bars"][0]["c"]
    answer = venue.place(type=4, stopPrice=last + 1000)
    assert answer["success"], answer
    order_id: int = answer["orderId"]
    return order_id


@pytest.mark.parametrize(("kind", "fields"), [("null_list", {"accounts": None}), ("absent_list", {})])
def test_a_list_is_null_or_absent(venue: RunningVenue, kind: str, fields: dict[str, None]) -> None:
    venue.faults(kind=kind)
    answer = venue.post("/api/Account/search", onlyActiveAccounts=False)

    assert {"success": True, "errorCode": 0, "errorMessage": None} | fields == answer
    assert venue.post("/api/Account/search", onlyActiveAccounts=False)["accounts"]


@pytest.mark.parametrize(
    ("kind", "form"), [("naive_timestamps", r"[-\d]{10}T[:\d]{8}(\.\d{6})?"), ("seven_digits", r"\S{19}\.\d{7}\+00:00")]
)
def test_instants_come_without_offset_or_with_seven_digits(venue: RunningVenue, kind: str, form: str) -> None:
    order_id = place_resting(venue)
    exact = venue.order(order_id)
    venue.faults(kind=kind)
    unlisted = venue.order(order_id)
    venue.remove_faults()
    venue.faults(kind=kind)
    searched = venue.post("/api/Order/searchOpen", accountId=venue.account_id)["orders"][-1]

    assert exact == unlisted  # one order is no list, so the fault does not apply
    assert re.fullmatch(form, searched["creationTimestamp"])
    assert order_id == searched["id"]
    assert exact["creationTimestamp"][:19] == searched["creationTimestamp"][:19]


def test_an_enumeration_has_an_unknown_value(venue: RunningVenue) -> None:
    place_resting(venue)
    venue.faults(kind="unknown_enum")

    assert {99} == {row["status"] for row in venue.post("/api/Order/searchOpen", accountId=20001)["orders"]}


def test_stale_search_open_repeats_the_last_answer(venue: RunningVenue) -> None:
    def open_ids() -> list[int]:
        return [row["id"] for row in venue.post("/api/Order/searchOpen", accountId=venue.account_id)["orders"]]

    before = open_ids()
    order_id = place_resting(venue)
    venue.faults(kind="stale_search_open")

    assert order_id not in before
    assert before == open_ids()
    assert order_id in open_ids()


def test_short_page_returns_half_of_the_bars_with_exact_prices(venue: RunningVenue) -> None:
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
