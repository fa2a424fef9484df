"""Validation of an order before it is sent: tag, price on the tick, the prices of its type, a signed bracket."""

from dataclasses import replace
from decimal import Decimal
from typing import Any, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.accounts.stage import Stage, parse_stage
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import OrderType, Side
from shared.errors import RefusedError
from shared.gateway.orders.order_request import OrderChange, OrderRequest

MNQ = Contract("CON.F.US.MNQ.H26", "MNQH6", "MNQ", Decimal("0.25"), Decimal("0.5"), is_active=True)
ORDER = OrderRequest(account_id=7, contract=MNQ, side=Side.BUY, quantity=2, tag="tw-1")
CHANGE = OrderChange(account_id=7, contract=MNQ, order_id=501, quantity=1)
PRICE = Decimal("25000.25")


class Prices(TypedDict, total=False):
    limit_price: Decimal
    stop_price: Decimal
    trail_price: Decimal


@pytest.mark.parametrize(
    ("type_", "price", "sent"),
    [
        (OrderType.LIMIT, {"limit_price": PRICE}, {"type": 1, "limitPrice": PRICE}),
        (OrderType.MARKET, {}, {"type": 2}),
        (OrderType.STOP, {"stop_price": PRICE}, {"type": 4, "stopPrice": PRICE}),
        (OrderType.TRAILING_STOP, {"trail_price": PRICE}, {"type": 5, "trailPrice": PRICE}),
        (OrderType.JOIN_BID, {}, {"type": 6}),
        (OrderType.JOIN_ASK, {}, {"type": 7}),
    ],
)
def test_every_type_is_sent_with_its_code_and_only_its_own_price(
    type_: OrderType, price: Prices, sent: dict[str, Any]
) -> None:
    rest = {"accountId": 7, "contractId": MNQ.id, "side": 0, "size": 2, "customTag": "tw-1"}

    assert rest | sent == replace(ORDER, type=type_, **price).body()


@given(side=st.sampled_from(Side), stop=st.integers(1, 999), target=st.integers(1, 999))
def test_trap_04_a_bracket_given_unsigned_is_sent_signed_by_its_side(side: Side, stop: int, target: int) -> None:
    body = replace(ORDER, side=side, stop_loss_ticks=stop, take_profit_ticks=target).body()
    sign = 1 if side is Side.BUY else -1

    assert {"ticks": -sign * stop, "type": 4} == body["stopLossBracket"]
    assert {"ticks": sign * target, "type": 1} == body["takeProfitBracket"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tag": ""}, "invalid tag '': expected 1 to 60"),
        ({"tag": "t" * 61}, "expected 1 to 60 printable characters"),
        ({"tag": "a\nb"}, "printable"),
        ({"quantity": 0}, "invalid quantity '0': expected a whole number of contracts, at least 1"),
        ({"quantity": 1.0}, "invalid quantity '1.0'"),
        ({"type": OrderType.UNKNOWN}, "invalid type 'UNKNOWN': expected MARKET, LIMIT"),
        ({"type": OrderType.LIMIT}, "a LIMIT order needs limit_price"),
        ({"type": OrderType.STOP, "limit_price": PRICE, "stop_price": PRICE}, "must have no limit_price"),
        ({"limit_price": PRICE}, "a MARKET order must have no limit_price"),
        (
            {"type": OrderType.LIMIT, "limit_price": Decimal("25000.3")},
            "invalid limit_price '25000.3': expected a multiple of the tick 0.25",
        ),
        (
            {"type": OrderType.LIMIT, "limit_price": 25000.25},
            r"invalid limit_price '25000.25' \(float\): expected a finite Decimal",
        ),
        ({"type": OrderType.LIMIT, "limit_price": Decimal("NaN")}, "expected a finite Decimal"),
        (
            {"stop_loss_ticks": -40},
            "invalid stop_loss_ticks '-40': expected a whole number of ticks, without a sign, at least 1",
        ),
        ({"take_profit_ticks": 0}, "take_profit_ticks"),
    ],
)
def test_an_invalid_order_is_refused_before_it_is_sent(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        replace(ORDER, **wrong)


def test_a_tag_of_sixty_characters_is_sent() -> None:
    assert "t" * 60 == replace(ORDER, tag="t" * 60).body()["customTag"]


def test_a_change_sends_only_what_changes() -> None:
    body = replace(CHANGE, quantity=None, stop_price=PRICE).body()

    assert {"accountId": 7, "orderId": 501, "stopPrice": PRICE} == body


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"quantity": None}, "no change given"),
        ({"quantity": 0}, "at least 1"),
        ({"trail_price": Decimal("0.1")}, "expected a multiple"),
    ],
)
def test_an_invalid_change_is_refused_before_it_is_sent(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        replace(CHANGE, **wrong)


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("PRAC-V2-20001-11071848", Stage.PRACTICE),
        ("50KTC-V2-1-2", Stage.COMBINE),
        ("150KTC-1", Stage.COMBINE),
        ("EXPRESS-V2-1", Stage.EXPRESS),
        ("50ktc-v2-dll-1-2", Stage.COMBINE),
        ("50KTC-SKU-1-2", Stage.COMBINE),
        ("S1FEB2400000001", Stage.COMBINE),
        ("EXPRESSJUL2400000001", Stage.EXPRESS),
        ("Express-V2-CT-DLL-1-2", Stage.EXPRESS),
        ("PRACTICEJUL2400000001", Stage.PRACTICE),
        ("PRACTICE", Stage.UNKNOWN),
        ("S1LIVE1", Stage.UNKNOWN),
        ("EXPRESSO-1", Stage.UNKNOWN),
        ("LFA-EXPRESS-1", Stage.UNKNOWN),
        ("250KTC-1", Stage.UNKNOWN),
        ("MY-PRAC-1", Stage.UNKNOWN),
        ("LIVE-1", Stage.UNKNOWN),
        ("", Stage.UNKNOWN),
    ],
)
def test_trap_14_the_stage_of_an_account_follows_only_from_the_beginning_of_its_name(name: str, stage: Stage) -> None:
    assert stage is parse_stage(name)
