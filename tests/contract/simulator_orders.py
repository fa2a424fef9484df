"""Orders in a stepped simulator, for the tests that place and change them."""

from datetime import datetime, timedelta
from typing import Any

from tests.fixtures.venue import MES, MNQ, OPEN_AT, RunningVenue

STOP = {"ticks": -400, "type": 4}  # too far to be reached during a test
TARGET = {"ticks": 800, "type": 1}
WORKING = [1, 6, 7, 8]


def close_everything(venue: RunningVenue) -> None:
    venue.step(1)
    assert [] == query_orders(venue, statuses=[6])
    for row in query_orders(venue, statuses=WORKING):
        venue.post("/api/Order/cancel", accountId=venue.account_id, orderId=row["id"])
    for contract in (MNQ, MES):
        venue.post("/api/Position/closeContract", accountId=venue.account_id, contractId=contract)
    venue.step(1)
    assert (0, 0) == (venue.position(MNQ), venue.position(MES))


def query_orders(venue: RunningVenue, **by: Any) -> list[dict[str, Any]]:
    answer = venue.post("/api/Order/v2/query", filter={"accountId": venue.account_id, **by}, pageSize=1000)
    found: list[dict[str, Any]] = answer["orders"]
    return found


def place_order(venue: RunningVenue, **order: Any) -> int:
    answer = venue.place(**order)
    assert answer["success"], answer
    order_id: int = answer["orderId"]
    return order_id


def fill_order(venue: RunningVenue, **order: Any) -> dict[str, Any]:
    order_id = place_order(venue, **order)
    venue.step(1)
    order = venue.order(order_id)
    assert 2 == order["status"]
    return order


def trades_of(venue: RunningVenue, order_id: int) -> list[dict[str, Any]]:
    found = venue.post("/api/Trade/search", accountId=venue.account_id, startTimestamp=OPEN_AT.isoformat())["trades"]
    return [row for row in found if row["orderId"] == order_id]


def balance(venue: RunningVenue) -> float:
    amount: float = venue.post("/api/Account/search", onlyActiveAccounts=True)["accounts"][0]["balance"]
    return amount


def last_price(venue: RunningVenue) -> float:
    now = datetime.fromisoformat(venue.get_status()["market_now"])
    found = venue.post(
        "/api/History/retrieveBars", contractId=MNQ, live=False, unit=2, unitNumber=1, limit=1, includePartialBar=True,
        startTime=(now - timedelta(minutes=5)).isoformat(), endTime=(now + timedelta(minutes=5)).isoformat(),
    )  # fmt: skip
    price: float = found["bars"][0]["c"]
    return price
