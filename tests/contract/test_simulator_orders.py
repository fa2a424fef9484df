"""The simulator takes, rejects, finds, cancels and changes orders as the venue does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.fixtures.venue import MES, MNQ, OPEN_AT, RunningVenue, StartVenue, starting_venues

STOP = {"ticks": -400, "type": 4}  # far enough not to be reached while a test looks
TARGET = {"ticks": 800, "type": 1}
WORKING = [1, 6, 7, 8]


@pytest.fixture(scope="module")
def shared_venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    """A market whose time stands, but for what a market order takes to fill."""
    with starting_venues(tmp_path_factory.mktemp("orders")) as start:
        yield start(options=["--stepped"])


@pytest.fixture
def venue(shared_venue: RunningVenue) -> RunningVenue:
    """The module's venue, flat and without a working order."""
    sweep(shared_venue)
    return shared_venue


def sweep(venue: RunningVenue) -> None:
    venue.step(1)
    assert [] == query(venue, statuses=[6])
    for row in query(venue, statuses=WORKING):
        venue.post("/api/Order/cancel", accountId=venue.account_id, orderId=row["id"])
    for contract in (MNQ, MES):
        venue.post("/api/Position/closeContract", accountId=venue.account_id, contractId=contract)
    venue.step(1)
    assert (0, 0) == (venue.position(MNQ), venue.position(MES))


def query(venue: RunningVenue, **by: Any) -> list[dict[str, Any]]:
    answer = venue.post("/api/Order/v2/query", filter={"accountId": venue.account_id, **by}, pageSize=1000)
    found: list[dict[str, Any]] = answer["orders"]
    return found


def placed(venue: RunningVenue, **order: Any) -> int:
    answer = venue.place(**order)
    assert answer["success"], answer
    order_id: int = answer["orderId"]
    return order_id


def filled(venue: RunningVenue, **order: Any) -> dict[str, Any]:
    order_id = placed(venue, **order)
    venue.step(1)
    order = venue.order(order_id)
    assert 2 == order["status"]
    return order


def trades(venue: RunningVenue, order_id: int) -> list[dict[str, Any]]:
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


def test_a_market_order_fills_soon_at_the_market(venue: RunningVenue) -> None:
    order = filled(venue, customTag="first-of-all")

    assert abs(order["filledPrice"] - last_price(venue)) < 50
    assert (2, 0, 1, 1) == (order["type"], order["side"], order["size"], order["fillVolume"])
    assert "first-of-all" == order["customTag"]
    assert "F.US.MNQ" == order["symbolId"]
    assert order["creationTimestamp"] < order["updateTimestamp"]
    assert 1 == venue.position()


def test_a_buy_pays_the_spread_and_a_round_trip_costs_fees(venue: RunningVenue) -> None:
    before = balance(venue)
    entry = filled(venue, size=2)
    exit_ = filled(venue, side=1, size=2)
    (opening,), (closing,) = trades(venue, entry["id"]), trades(venue, exit_["id"])
    gross = (exit_["filledPrice"] - entry["filledPrice"]) * 2 * 2

    assert opening["profitAndLoss"] is None
    assert gross == closing["profitAndLoss"]
    assert (0.72, 0.5) == (opening["fees"], opening["commissions"])
    assert 0 == venue.position()
    assert round(before + gross - 2 * 1.22, 2) == balance(venue)


def test_a_reversal_is_a_closing_and_an_opening_trade(venue: RunningVenue) -> None:
    filled(venue, size=1)
    order = filled(venue, side=1, size=3)
    opening, closing = trades(venue, order["id"])

    assert (2, None) == (opening["size"], opening["profitAndLoss"])
    assert 1 == closing["size"]
    assert closing["profitAndLoss"] is not None
    assert -2 == venue.position()


def test_a_bracket_sleeps_unseen_until_the_entry_fills(venue: RunningVenue) -> None:
    price = last_price(venue) - 500
    order_id = placed(
        venue, type=1, limitPrice=price, customTag="resting", stopLossBracket=STOP, takeProfitBracket=TARGET
    )
    stop, target = venue.order(order_id + 1), venue.order(order_id + 2)
    seen = venue.post("/api/Order/searchOpen", accountId=venue.account_id)["orders"]

    assert [order_id] == [row["id"] for row in seen]
    assert (8, 4, 1, None, -400, -100) == tuple(
        stop[key] for key in ("status", "type", "side", "stopPrice", "trailDistance", "trailPrice")
    )
    assert (8, 1, 1, None, 800) == tuple(
        target[key] for key in ("status", "type", "side", "limitPrice", "trailDistance")
    )
    assert [order_id, order_id] == [stop["parentOrderId"], target["parentOrderId"]]
    assert [None, stop["id"]] == [stop["linkedOrderId"], target["linkedOrderId"]]
    assert ["resting-SL", "resting-TP"] == [stop["customTag"], target["customTag"]]
    assert {order_id, stop["id"], target["id"]} == {row["id"] for row in query(venue, statuses=WORKING)}


@pytest.mark.parametrize(("side", "sign"), [(0, 1), (1, -1)])
def test_a_bracket_wakes_at_its_signed_distance_from_the_fill(venue: RunningVenue, side: int, sign: int) -> None:
    entry = filled(
        venue, side=side, size=2, stopLossBracket={"ticks": -400 * sign, "type": 4},
        takeProfitBracket={"ticks": 800 * sign, "type": 1},
    )  # fmt: skip
    stop, target = venue.order(entry["id"] + 1), venue.order(entry["id"] + 2)

    assert (1, entry["filledPrice"] - 100 * sign) == (stop["status"], stop["stopPrice"])
    assert (1, entry["filledPrice"] + 200 * sign) == (target["status"], target["limitPrice"])
    assert [2, 2] == [stop["size"], target["size"]]
    assert [1 - side, 1 - side] == [stop["side"], target["side"]]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"stopLossBracket": {"ticks": 40, "type": 4}},
            "Invalid stop loss ticks (40). Ticks should be less than zero when longing.",
        ),
        (
            {"side": 1, "takeProfitBracket": {"ticks": 80, "type": 1}},
            "Invalid take profit ticks (80). Ticks should be less than zero when going short",
        ),
        (
            {"stopLossBracket": {"ticks": -1, "type": 4}},
            "Invalid stop loss ticks (-1). Price should be at least 4 ticks away.",
        ),
        ({"size": 0}, "Invalid order size"),
        ({"type": 3}, "Invalid order type"),
        ({"type": 0}, "Invalid order type"),
        ({"type": 5}, "Trail Distance not set."),
        ({"type": 5, "trailPrice": 24000.1}, "Invalid trail price. Price is not aligned to tick size."),
        ({"type": 5, "trailPrice": 20000}, "Trail Distance exceeds maximum (1000)"),
        ({"type": 1}, "Invalid price. Price is outside allowed range."),
        ({"type": 1, "limitPrice": 1}, "Invalid price. Price is outside allowed range."),
        ({"type": 1, "limitPrice": "NaN"}, "Invalid price. Price is outside allowed range."),
        ({"type": 1, "limitPrice": 24000.1}, "Invalid price. Price is not aligned to tick size."),
        ({"type": 4, "stopPrice": 20000}, "Invalid price. Price is outside allowed range."),
    ],
)
def test_a_rejected_order_has_an_id_a_reason_and_no_effect(
    venue: RunningVenue, wrong: dict[str, Any], message: str
) -> None:
    answer = venue.place(**wrong)

    assert (False, 2) == (answer["success"], answer["errorCode"])
    assert message in answer["errorMessage"]
    assert 5 == venue.order(answer["orderId"])["status"]
    assert 0 == venue.position()


def test_a_tag_is_used_up_for_ever_even_by_a_rejected_order(venue: RunningVenue) -> None:
    tag = str(uuid4())
    venue.place(customTag=tag, size=0)
    answer = venue.place(customTag=tag)

    assert (2, "Specified custom tag is already in use") == (answer["errorCode"], answer["errorMessage"])
    assert tag not in venue.accepted_tags()


def test_the_tag_of_a_filled_order_stays_used(venue: RunningVenue) -> None:
    tag = str(uuid4())
    filled(venue, customTag=tag, stopLossBracket=STOP)

    assert 2 == venue.place(customTag=tag)["errorCode"]
    assert 2 == venue.place(customTag=f"{tag}-SL")["errorCode"]
    assert 1 == venue.accepted_tags().count(tag)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"accountId": 1}, 1),
        ({"contractId": "CON.F.US.NONE.H26"}, 8),
        ({"contractId": "CON.F.US.MNQ.M26"}, 9),
    ],
)
def test_what_cannot_be_traded_has_a_code_and_no_order(venue: RunningVenue, wrong: dict[str, Any], code: int) -> None:
    answer = venue.place(**wrong)

    assert (False, code, None) == (answer["success"], answer["errorCode"], answer["orderId"])


@pytest.mark.parametrize("number", ["side", "size", "type", "accountId"])
def test_a_missing_number_is_a_400_and_no_order(venue: RunningVenue, number: str) -> None:
    before = venue.get_status()["order_count"]
    body = {"accountId": venue.account_id, "contractId": MNQ, "type": 2, "side": 0, "size": 1}
    del body[number]

    assert 400 == venue.send("/api/Order/place", body).status_code
    assert before == venue.get_status()["order_count"]


def test_position_brackets_take_no_brackets(start_venue: StartVenue) -> None:
    venue = start_venue()
    venue.set_account(bracket_mode="position")
    answer = venue.place(stopLossBracket=STOP)

    assert 2 == answer["errorCode"]
    assert answer["errorMessage"].startswith("Brackets cannot be used with Position Brackets")


def test_an_account_that_may_not_trade_is_code_10(start_venue: StartVenue) -> None:
    venue = start_venue()
    venue.set_account(can_trade=False)

    assert 10 == venue.place()["errorCode"]
    assert [] == venue.post("/api/Account/search", onlyActiveAccounts=True)["accounts"]


@pytest.mark.parametrize(
    "closed_at",
    [
        datetime(2026, 3, 10, 21, 30, tzinfo=UTC),  # the daily halt
        datetime(2026, 3, 7, 15, 0, tzinfo=UTC),  # a Saturday
    ],
)
def test_a_closed_session_rejects_orders_and_closes_nothing(start_venue: StartVenue, closed_at: datetime) -> None:
    venue = start_venue(market_origin=closed_at)
    answer = venue.place(customTag="too-late")

    assert 2 == answer["errorCode"]
    assert (
        "Trading is currently unavailable. The instrument is not in an active trading status." == answer["errorMessage"]
    )
    assert not venue.get_status()["is_open"]


def test_a_cancelled_order_takes_its_bracket_along_and_is_not_cancelled_twice(venue: RunningVenue) -> None:
    order_id = placed(venue, type=1, limitPrice=last_price(venue) - 500, stopLossBracket=STOP)
    of = {"accountId": venue.account_id, "orderId": order_id}

    assert venue.post("/api/Order/cancel", **of)["success"]
    assert [3, 3] == [venue.order(order_id)["status"], venue.order(order_id + 1)["status"]]
    assert 5 == venue.post("/api/Order/cancel", **of)["errorCode"]
    assert 2 == venue.post("/api/Order/cancel", **of | {"orderId": 1})["errorCode"]
    assert 1 == venue.post("/api/Order/cancel", **of | {"accountId": 1})["errorCode"]


def test_one_leg_is_cancelled_alone(venue: RunningVenue) -> None:
    entry = filled(venue, stopLossBracket=STOP, takeProfitBracket=TARGET)
    venue.post("/api/Order/cancel", accountId=venue.account_id, orderId=entry["id"] + 2)

    assert [1, 3] == [venue.order(entry["id"] + leg)["status"] for leg in (1, 2)]


def test_a_stop_is_moved_and_never_across_the_market(venue: RunningVenue) -> None:
    entry = filled(venue, stopLossBracket=STOP)
    stop = {"accountId": venue.account_id, "orderId": entry["id"] + 1}
    lower, across = entry["filledPrice"] - 200, entry["filledPrice"] + 200

    assert venue.post("/api/Order/modify", **stop, stopPrice=lower)["success"]
    assert lower == venue.order(stop["orderId"])["stopPrice"]
    assert 3 == venue.post("/api/Order/modify", **stop, stopPrice=across)["errorCode"]
    assert 3 == venue.post("/api/Order/modify", **stop, stopPrice="NaN")["errorCode"]
    assert lower == venue.order(stop["orderId"])["stopPrice"]


def test_closing_a_contract_flattens_it_and_leaves_its_orders_working(venue: RunningVenue) -> None:
    entry = filled(venue, size=2, stopLossBracket=STOP)
    of = {"accountId": venue.account_id, "contractId": MNQ}

    assert venue.post("/api/Position/closeContract", **of)["success"]
    venue.step(1)
    assert 0 == venue.position()
    assert 1 == venue.order(entry["id"] + 1)["status"]
    assert 2 == venue.post("/api/Position/closeContract", **of)["errorCode"]


def test_a_part_of_a_position_is_closed(venue: RunningVenue) -> None:
    filled(venue, side=1, size=3)
    of = {"accountId": venue.account_id, "contractId": MNQ}

    assert 5 == venue.post("/api/Position/partialCloseContract", **of, size=4)["errorCode"]
    assert venue.post("/api/Position/partialCloseContract", **of, size=2)["success"]
    venue.step(1)
    assert -1 == venue.position()


def test_contracts_are_held_apart(venue: RunningVenue) -> None:
    filled(venue)
    filled(venue, contractId=MES, side=1)
    rows = venue.post("/api/Position/searchOpen", accountId=venue.account_id)["positions"]

    assert {(MNQ, 1, 1, "MNQH6"), (MES, 2, 1, "MESH6")} == {
        (row["contractId"], row["type"], row["size"], row["contractDisplayName"]) for row in rows
    }


def test_orders_are_found_by_the_time_they_were_made(venue: RunningVenue) -> None:
    order = filled(venue)
    of = {"accountId": venue.account_id, "startTimestamp": order["creationTimestamp"]}
    just_before = (datetime.fromisoformat(order["creationTimestamp"]) - timedelta(microseconds=1)).isoformat()

    assert order["id"] in {row["id"] for row in venue.post("/api/Order/search", **of)["orders"]}
    assert order["id"] not in {
        row["id"]
        for row in venue.post(
            "/api/Order/search",
            accountId=venue.account_id,
            startTimestamp=OPEN_AT.isoformat(),
            endTimestamp=just_before,
        )["orders"]
    }


def test_pages_of_a_query_hold_each_order_once(venue: RunningVenue) -> None:
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
    assert sorted(ids) == ids


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
def test_an_account_nobody_knows_is_code_1(venue: RunningVenue, path: str, body: dict[str, Any]) -> None:
    assert 1 == venue.post(f"/api/{path}", **{"accountId": 1, **body})["errorCode"]
