"""The simulator cancels, modifies, closes and finds orders as the venue does."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.contract.simulator_orders import STOP, TARGET, close_everything, fill_order, last_price, place_order
from tests.fixtures.venue import MES, MNQ, OPEN_AT, RunningVenue, starting_venues


@pytest.fixture(scope="module")
def shared_venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    """A stepped market."""
    with starting_venues(tmp_path_factory.mktemp("order-changes")) as start:
        yield start(options=["--stepped"])


@pytest.fixture
def venue(shared_venue: RunningVenue) -> RunningVenue:
    """The module's venue, flat and without a working order."""
    close_everything(shared_venue)
    return shared_venue


def test_cancelling_an_order_cancels_its_bracket_and_works_only_once(venue: RunningVenue) -> None:
    order_id = place_order(venue, type=1, limitPrice=last_price(venue) - 500, stopLossBracket=STOP)
    ids = {"accountId": venue.account_id, "orderId": order_id}

    assert venue.post("/api/Order/cancel", **ids)["success"]
    assert [3, 3] == [venue.order(order_id)["status"], venue.order(order_id + 1)["status"]]
    assert 5 == venue.post("/api/Order/cancel", **ids)["errorCode"]
    assert 2 == venue.post("/api/Order/cancel", **ids | {"orderId": 1})["errorCode"]
    assert 1 == venue.post("/api/Order/cancel", **ids | {"accountId": 1})["errorCode"]


def test_cancelling_one_leg_leaves_the_other_working(venue: RunningVenue) -> None:
    entry = fill_order(venue, stopLossBracket=STOP, takeProfitBracket=TARGET)
    venue.post("/api/Order/cancel", accountId=venue.account_id, orderId=entry["id"] + 2)

    assert [1, 3] == [venue.order(entry["id"] + leg)["status"] for leg in (1, 2)]


def test_a_stop_can_be_moved_but_not_across_the_market(venue: RunningVenue) -> None:
    entry = fill_order(venue, stopLossBracket=STOP)
    stop = {"accountId": venue.account_id, "orderId": entry["id"] + 1}
    lower, across = entry["filledPrice"] - 200, entry["filledPrice"] + 200

    assert venue.post("/api/Order/modify", **stop, stopPrice=lower)["success"]
    assert lower == venue.order(stop["orderId"])["stopPrice"]
    assert 3 == venue.post("/api/Order/modify", **stop, stopPrice=across)["errorCode"]
    assert lower == venue.order(stop["orderId"])["stopPrice"]


def test_close_contract_closes_the_position_and_leaves_its_orders_working(venue: RunningVenue) -> None:
    entry = fill_order(venue, size=2, stopLossBracket=STOP)
    ids = {"accountId": venue.account_id, "contractId": MNQ}

    assert venue.post("/api/Position/closeContract", **ids)["success"]
    venue.step(1)
    assert 0 == venue.position()
    assert 1 == venue.order(entry["id"] + 1)["status"]
    assert 2 == venue.post("/api/Position/closeContract", **ids)["errorCode"]


def test_partial_close_contract_closes_a_part_of_the_position(venue: RunningVenue) -> None:
    fill_order(venue, side=1, size=3)
    ids = {"accountId": venue.account_id, "contractId": MNQ}

    assert 5 == venue.post("/api/Position/partialCloseContract", **ids, size=4)["errorCode"]
    assert venue.post("/api/Position/partialCloseContract", **ids, size=2)["success"]
    venue.step(1)
    assert -1 == venue.position()


def test_each_contract_has_its_own_position(venue: RunningVenue) -> None:
    fill_order(venue)
    fill_order(venue, contractId=MES, side=1)
    rows = venue.post("/api/Position/searchOpen", accountId=venue.account_id)["positions"]

    assert {(MNQ, 1, 1, "MNQH26"), (MES, 2, 1, "MESH26")} == {
        (row["contractId"], row["type"], row["size"], row["contractDisplayName"]) for row in rows
    }


def test_orders_are_found_by_their_creation_time(venue: RunningVenue) -> None:
    order = fill_order(venue)
    ids = {"accountId": venue.account_id, "startTimestamp": order["creationTimestamp"]}
    just_before = (datetime.fromisoformat(order["creationTimestamp"]) - timedelta(microseconds=1)).isoformat()

    assert order["id"] in {row["id"] for row in venue.post("/api/Order/search", **ids)["orders"]}
    assert order["id"] not in {
        row["id"]
        for row in venue.post(
            "/api/Order/search",
            accountId=venue.account_id,
            startTimestamp=OPEN_AT.isoformat(),
            endTimestamp=just_before,
        )["orders"]
    }


def test_the_pages_of_a_query_contain_each_order_once(venue: RunningVenue) -> None:
    for _ in range(5):
        venue.place(size=0)
    by = {"filter": {"accountId": venue.account_id}, "pageSize": 3, "sortBy": 1, "includeTotalCount": True}
    total = venue.post("/api/Order/v2/query", **by)["totalCount"]
    ids = [
        row["id"]
        for offset in range(0, total, 3)
        for row in venue.post("/api/Order/v2/query", **by, pageOffset=offset)["orders"]
    ]

    assert total == len(ids) == len(set(ids))
    assert sorted(ids, reverse=True) == ids


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("Order/search", {"startTimestamp": "2026-03-10T00:00:00Z"}),
        ("Order/searchOpen", {}),
        ("Order/v2/query", {"filter": {"accountId": 1}}),
        ("Position/searchOpen", {}),
        ("Position/closeContract", {"contractId": MNQ}),
        ("Trade/search", {"startTimestamp": "2026-03-10T00:00:00Z"}),
    ],
)
def test_an_unknown_account_is_code_1(venue: RunningVenue, path: str, body: dict[str, Any]) -> None:
    assert 1 == venue.post(f"/api/{path}", **{"accountId": 1, **body})["errorCode"]
