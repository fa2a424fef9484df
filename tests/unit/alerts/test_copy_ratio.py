"""The sizes of an alert on a follower account: entries are rounded toward zero, exits up, and nothing is left."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.alerts.alert import Alert
from shared.domain.alerts.copy_ratio import (
    CopyOrder,
    OwnPart,
    describe_empty_copy,
    describe_ratio,
    may_round,
    parse_ratio,
    scale_alert,
    scale_entry,
)
from shared.domain.alerts.fields import MAX_CONTRACTS
from shared.domain.alerts.hook_rules import apply_settings
from shared.domain.alerts.hook_settings import HookSettings, SizeMode
from shared.domain.alerts.parse import parse_payload
from shared.domain.orders.order import OrderType, Side
from shared.domain.orders.reversal import plan_reversal
from shared.errors import RefusedError

TO_LONG: dict[str, Any] = {"action": "buy", "market_position": "long"}
TO_SHORT: dict[str, Any] = {"action": "sell", "market_position": "short"}


def copy(ratio: str, fields: dict[str, Any], settings: HookSettings | None = None) -> Alert:
    alert = apply_settings(parse_payload({"symbol": "MNQ"} | fields), settings or HookSettings())
    return scale_alert(alert, Decimal(ratio))


@pytest.mark.parametrize(
    ("ratio", "fields", "quantity", "target_position"),
    [
        ("0.5", TO_LONG | {"market_position_size": 3}, 1, 1),
        ("0.5", TO_SHORT | {"market_position_size": 3}, 1, -1),
        ("2.5", TO_SHORT | {"market_position_size": 1}, 2, -2),
        ("0.5", TO_LONG | {"market_position_size": 1}, None, 0),
        ("0.5", TO_SHORT | {"market_position_size": 1}, None, 0),
        ("0.5", {"action": "sell", "market_position": "long", "market_position_size": 3}, None, 1),
        ("0.5", {"action": "buy", "market_position": "short", "market_position_size": 1}, None, 0),
        ("0.1", {"action": "close", "quantity": 1}, 1, None),
        ("0.5", {"action": "close", "quantity": 3}, 2, None),
        ("2", {"action": "close_long", "quantity": 3}, 6, None),
        ("0.5", {"action": "close"}, None, None),
        ("0.5", {"market_position": "flat", "action": "sell"}, None, None),
        ("1", {"action": "close", "quantity": 3}, 3, None),
    ],
)
def test_a_position_is_rounded_toward_zero_and_a_part_of_an_exit_up(
    ratio: str, fields: dict[str, Any], quantity: int | None, target_position: int | None
) -> None:
    alert = copy(ratio, fields)

    assert (quantity, target_position) == (alert.quantity, alert.target_position)


def test_a_full_close_stays_one_and_what_closes_nothing_on_a_side_too() -> None:
    assert copy("0.5", {"action": "close"}).closes_all
    fixed = HookSettings(size=SizeMode.FIXED, size_value=Decimal(3))
    for side, sign in (("long", 1), ("short", -1)):
        kept = copy("0.01", {"action": "close", "quantity": 1, "market_position": side}, fixed)
        assert (None, sign * MAX_CONTRACTS) == (kept.quantity, kept.target_position)


@pytest.mark.parametrize(
    ("quantity", "ratio", "against", "expected"),
    [
        (1, "0.5", 0, 0),
        (1, "0.5", -1, 0),  # it adds
        (1, "0.5", 1, 1),  # it closes: an exit is not lost
        (3, "0.5", 0, 1),
        (3, "0.5", 1, 1),
        (3, "0.5", 2, 2),
        (5, "0.5", 1, 2),  # closes 1, opens 1 of 1.5
        (5, "0.5", 9, 3),
        (2, "0.5", 1, 1),
        (1, "2.5", 0, 2),
        (4, "1", 1, 4),
    ],
)
def test_an_entry_is_rounded_toward_zero_but_for_what_it_closes(
    quantity: int, ratio: str, against: int, expected: int
) -> None:
    assert expected == scale_entry(quantity * Decimal(ratio), against)


@given(ratio=st.decimals("0.01", 100, places=2), entries=st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_the_copy_of_a_chart_that_is_flat_holds_nothing_and_never_more_than_the_ratio(
    ratio: Decimal, entries: list[int]
) -> None:
    """Each part of the chart is closed as it was opened, as parts and as orders to the other side."""
    held = 0
    for entry in entries:
        held += scale_entry(entry * ratio, -held)
    assert 0 <= held <= sum(entries) * ratio
    parts = orders = held
    for entry in entries:
        part = scale_alert(parse_payload({"symbol": "MNQ", "action": "close", "quantity": entry}), ratio).quantity
        assert part is not None
        assert part >= 1
        parts -= min(part, parts)
        orders -= scale_entry(entry * ratio, orders)
    assert parts == 0
    assert orders <= 0


@given(
    ratio=st.decimals("0.1", 4, places=1),
    orders=st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 6)), min_size=1, max_size=12),
)
def test_a_copy_of_plain_orders_is_on_the_side_of_its_leader_and_never_holds_more_than_its_share(
    ratio: Decimal, orders: list[tuple[Side, int]]
) -> None:
    leader = held = 0
    for side, quantity in orders:
        part = OwnPart.of(quantity, -leader * side.sign)
        order = CopyOrder(quantity, ratio, is_market=True, held=max(0, -held * side.sign), part=part)
        assert order.exact is not None
        reversal = plan_reversal(side, OrderType.MARKET, order.exact, held)
        reversal = reversal and reversal.limit_to(order.most_opening)
        held += side.sign * ((order.size or 0) if reversal is None else reversal.closing + reversal.opening)
        leader += side.sign * quantity
        assert abs(held) <= abs(leader) * ratio
        assert held * leader >= 0


def test_only_a_ratio_that_changes_a_size_is_told() -> None:
    buy = {"action": "buy", "quantity": 3, "stop_loss_ticks": 40}
    assert None is describe_ratio(copy("1", buy), Decimal(1))
    assert None is describe_ratio(copy("0.5", {"action": "close"}), Decimal("0.5"))
    assert "copy ratio 0.5" == describe_ratio(copy("0.5", buy), Decimal("0.5"))
    empty = describe_ratio(copy("0.5", TO_LONG | {"market_position_size": 1}), Decimal("0.5"))
    closes_only = "copy ratio 0.5 of the 1 contract that the hook's own account opens with it is less than one contract"
    opens_one = CopyOrder(2, Decimal("0.5"), is_market=True, held=0, part=OwnPart.of(2, 1))
    assert describe_empty_copy(opens_one).startswith(closes_only)
    opens_none = CopyOrder(2, Decimal(1), is_market=True, held=0, part=OwnPart.of(2, 2))
    assert (0, True) == (opens_none.size, describe_empty_copy(opens_none).startswith("the hook's own account opens no"))
    assert "copy ratio 0.5 of the position is less than one contract" == empty
    assert may_round(3, Decimal("0.5"))
    assert not may_round(4, Decimal("0.5"))


@pytest.mark.parametrize(
    "text", ["0", "-1", "abc", "101", "100.0001", "0.00001", "", "1e1", "nan", " 1", "0,5", "\u0665"]
)
def test_a_ratio_that_is_no_number_up_to_100_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_ratio(text)
    assert f"invalid copy ratio {text!r}: expected a number above 0, at most 100" in str(refused.value)


@pytest.mark.parametrize("text", ["0.0001", "0.5", "1", "100", "100.0"])
def test_a_ratio_is_read_as_it_is(text: str) -> None:
    assert Decimal(text) == parse_ratio(text)
