"""The simulator accepts and rejects orders as the venue does."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.contract.simulator_orders import (
    STOP,
    TARGET,
    WORKING,
    balance,
    close_everything,
    fill_order,
    last_price,
    place_order,
    query_orders,
    trades_of,
)
from tests.fixtures.venue import MNQ, RunningVenue, StartVenue, starting_venues


@pytest.fixture(scope="module")
def shared_venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    """A stepped market."""
    with starting_venues(tmp_path_factory.mktemp("orders")) as start:
        yield start(options=["--stepped"])


@pytest.fixture
def venue(shared_venue: RunningVenue) -> RunningVenue:
    """The module's venue, flat and without a working order."""
    close_everything(shared_venue)
    return shared_venue


def test_a_market_order_fills_soon_at_the_market(venue: RunningVenue) -> None:
    order = fill_order(venue, customTag="first-of-all")

    assert abs(order["filledPrice"] - last_price(venue)) < 50
    assert (2, 0, 1, 1) == (order["type"], order["side"], order["size"], order["fillVolume"])
    assert "first-of-all" == order["customTag"]
    assert "F.US.MNQ" == order["symbolId"]
    assert 1 == venue.position()


def test_a_buy_pays_the_spread_and_a_round_trip_costs_fees(venue: RunningVenue) -> None:
    before = balance(venue)
    entry = fill_order(venue, size=2)
    exit_ = fill_order(venue, side=1, size=2)
    (opening,), (closing,) = trades_of(venue, entry["id"]), trades_of(venue, exit_["id"])
    gross = (exit_["filledPrice"] - entry["filledPrice"]) * 2 * 2

    assert opening["profitAndLoss"] is None
    assert gross == closing["profitAndLoss"]
    assert (0.72, 0.5) == (opening["fees"], opening["commissions"])
    assert 0 == venue.position()
    assert round(before + gross - 2 * 1.22, 2) == balance(venue)


def test_a_reversal_is_a_closing_and_an_opening_trade(venue: RunningVenue) -> None:
    fill_order(venue, size=1)
    order = fill_order(venue, side=1, size=3)
    opening, closing = trades_of(venue, order["id"])

    assert (2, None) == (opening["size"], opening["profitAndLoss"])
    assert 1 == closing["size"]
    assert closing["profitAndLoss"] is not None
    assert -2 == venue.position()


def test_bracket_children_are_suspended_until_the_entry_fills(venue: RunningVenue) -> None:
    price = last_price(venue) - 500
    order_id = place_order(
        venue, type=1, limitPrice=price, customTag="resting", stopLossBracket=STOP, takeProfitBracket=TARGET
    )
    stop, target = venue.order(order_id + 1), venue.order(order_id + 2)
    open_orders = venue.post("/api/Order/searchOpen", accountId=venue.account_id)["orders"]

    assert [order_id] == [row["id"] for row in open_orders]
    assert (8, 4, 1, None, -400, -100) == tuple(
        stop[key] for key in ("status", "type", "side", "stopPrice", "trailDistance", "trailPrice")
    )
    assert (8, 1, 1, None, 800) == tuple(
        target[key] for key in ("status", "type", "side", "limitPrice", "trailDistance")
    )
    assert [order_id, order_id] == [stop["parentOrderId"], target["parentOrderId"]]
    assert [None, stop["id"]] == [stop["linkedOrderId"], target["linkedOrderId"]]
    assert ["resting-SL", "resting-TP"] == [stop["customTag"], target["customTag"]]
    assert {order_id, stop["id"], target["id"]} == {row["id"] for row in query_orders(venue, statuses=WORKING)}


@pytest.mark.parametrize(("side", "sign"), [(0, 1), (1, -1)])
def test_bracket_children_work_at_their_signed_distance_from_the_fill(
    venue: RunningVenue, side: int, sign: int
) -> None:
    entry = fill_order(
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


def test_a_tag_is_used_up_even_by_a_rejected_order(venue: RunningVenue) -> None:
    tag = str(uuid4())
    venue.place(customTag=tag, size=0)
    answer = venue.place(customTag=tag)

    assert (2, "Specified custom tag is already in use") == (answer["errorCode"], answer["errorMessage"])
    assert tag not in venue.accepted_tags()


def test_the_tag_of_a_filled_order_stays_used(venue: RunningVenue) -> None:
    tag = str(uuid4())
    fill_order(venue, customTag=tag, stopLossBracket=STOP)

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
def test_an_order_for_an_unknown_account_or_contract_has_a_code_and_no_row(
    venue: RunningVenue, wrong: dict[str, Any], code: int
) -> None:
    answer = venue.place(**wrong)

    assert (False, code, None) == (answer["success"], answer["errorCode"], answer["orderId"])


@pytest.mark.parametrize("number", ["side", "size", "type", "accountId"])
def test_a_missing_number_is_a_400_and_no_order(venue: RunningVenue, number: str) -> None:
    before = venue.get_status()["order_count"]
    body = {"accountId": venue.account_id, "contractId": MNQ, "type": 2, "side": 0, "size": 1}
    del body[number]

    assert 400 == venue.send("/api/Order/place", body).status_code
    assert before == venue.get_status()["order_count"]


def test_an_account_with_position_brackets_rejects_order_brackets(start_venue: StartVenue) -> None:
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
def test_a_closed_session_rejects_orders(start_venue: StartVenue, closed_at: datetime) -> None:
    venue = start_venue(market_origin=closed_at)
    answer = venue.place(customTag="too-late")

    assert 2 == answer["errorCode"]
    assert (
        "Trading is currently unavailable. The instrument is not in an active trading status." == answer["errorMessage"]
    )
    assert not venue.get_status()["is_open"]
