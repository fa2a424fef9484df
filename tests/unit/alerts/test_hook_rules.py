"""A hook's size: entries are scaled, and parts that cannot be compared close all or nothing."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.alerts.alert import Alert
from shared.domain.alerts.fields import MAX_CONTRACTS
from shared.domain.alerts.hook_rules import apply_settings
from shared.domain.alerts.hook_settings import HookSettings, SizeMode
from shared.domain.alerts.parse import parse_alert, parse_payload
from shared.domain.alerts.payload import RefusedAlertError
from tests.unit.alerts.dialects.meaning import position_after

FIXED = HookSettings(size=SizeMode.FIXED, size_value=Decimal(3))
RISK = HookSettings(size=SizeMode.RISK, size_value=Decimal(300))
HALF = HookSettings(size=SizeMode.MULTIPLIER, size_value=Decimal("0.5"))
DOUBLE = HookSettings(size=SizeMode.MULTIPLIER, size_value=Decimal(2))
STILL_LONG: dict[str, Any] = {"action": "sell", "quantity": 1, "market_position": "long", "market_position_size": 2}


def trade(settings: HookSettings, fields: dict[str, Any]) -> Alert:
    """Return an alert as a hook with these settings trades it."""
    return apply_settings(parse_payload({"symbol": "MNQ"} | fields), settings)


@pytest.mark.parametrize(
    ("settings", "fields", "quantity", "target_position"),
    [
        (FIXED, {"action": "buy", "quantity": 1}, 3, None),
        (FIXED, {"action": "sell", "market_position": "short", "market_position_size": 1}, 3, -3),
        (RISK, {"action": "buy", "quantity": 1}, None, None),
        (DOUBLE, {"action": "close", "quantity": 1}, 2, None),
        (HALF, {"action": "buy", "quantity": 3}, 1, None),
        (HALF, {"action": "buy", "market_position": "long", "market_position_size": 5}, 2, 2),
        (HALF, STILL_LONG, None, 1),
        (DOUBLE, {"action": "close"}, None, None),
        (DOUBLE, STILL_LONG, None, 4),
        (DOUBLE, {"action": "buy", "market_position": "long", "market_position_size": 1}, 2, 2),
        (HookSettings(), STILL_LONG, None, 2),
        (HookSettings(), {"action": "sell", "quantity": 1, "market_position": "long"}, 1, None),
    ],
)
def test_the_size_of_a_hook_scales_or_replaces_that_of_an_alert(
    settings: HookSettings, fields: dict[str, Any], quantity: int | None, target_position: int | None
) -> None:
    alert = trade(settings, fields)

    assert (quantity, target_position) == (alert.quantity, alert.target_position)


PARTS: list[tuple[dict[str, Any], int | None]] = [
    ({"action": "close", "quantity": 1}, None),
    ({"action": "close", "quantity": 1, "market_position": "flat"}, None),
    ({"action": "close", "market_position": "long"}, None),
    ({"action": "close", "quantity": 1, "market_position": "long"}, MAX_CONTRACTS),
    ({"action": "sell", "quantity": 1, "market_position": "long"}, MAX_CONTRACTS),
    ({"action": "buy", "quantity": 2, "market_position": "short"}, -MAX_CONTRACTS),
]


@pytest.mark.parametrize("value", ["0.5", "1.5", "2.25"])
@pytest.mark.parametrize(("fields", "target_position"), PARTS, ids=str)
def test_a_part_of_a_hook_whose_multiplier_rounds_closes_all_or_nothing(
    value: str, fields: dict[str, Any], target_position: int | None
) -> None:
    alert = trade(HookSettings(size=SizeMode.MULTIPLIER, size_value=Decimal(value)), fields)

    assert (None, target_position) == (alert.quantity, alert.target_position)


@given(
    factor=st.decimals("0.1", 5, places=1),
    entries=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    data=st.data(),
)
def test_when_the_parts_have_closed_the_position_of_the_chart_that_of_a_multiplier_is_closed_too(
    factor: Decimal, entries: list[int], data: st.DataObject
) -> None:
    settings = HookSettings(size=SizeMode.MULTIPLIER, size_value=factor)
    held = sum(trade(settings, {"action": "buy", "quantity": quantity}).quantity or 0 for quantity in entries)
    chart = sum(entries)
    while chart:
        part = data.draw(st.integers(1, chart))
        held = position_after(trade(settings, {"action": "close", "quantity": part}), held)
        chart -= part

    assert 0 == held


@pytest.mark.parametrize("value", [Decimal(3), Decimal("3.0")])
def test_a_whole_multiplier_is_of_each_part(value: Decimal) -> None:
    settings = HookSettings(size=SizeMode.MULTIPLIER, size_value=value)

    assert 6 == trade(settings, {"action": "close", "quantity": 2}).quantity


@pytest.mark.parametrize("settings", [FIXED, RISK], ids=["fixed", "risk"])
@pytest.mark.parametrize(("fields", "target_position"), [*PARTS, (STILL_LONG, MAX_CONTRACTS)], ids=str)
def test_a_partial_exit_of_a_hook_with_its_own_size_closes_all_or_nothing(
    settings: HookSettings, fields: dict[str, Any], target_position: int | None
) -> None:
    alert = trade(settings, fields)

    assert (None, target_position) == (alert.quantity, alert.target_position)


@pytest.mark.parametrize("dialect", ["traderspost", "pickmytrade", "tradingview", "tickwork"])
@pytest.mark.parametrize(("action", "position", "target_position"), [("sell", "long", 1), ("buy", "short", -1)])
def test_a_hook_with_its_own_size_holds_what_the_chart_still_holds(
    dialect: str, action: str, position: str, target_position: int
) -> None:
    names = {"traderspost": ("ticker", "action", "sentiment"), "pickmytrade": ("symbol", "data", "market_position")}
    symbol_name, action_name, position_name = names.get(dialect, ("symbol", "action", "market_position"))
    body = {symbol_name: "MNQ1!", action_name: action, "quantity": 1, position_name: position}
    alert = apply_settings(parse_alert(json.dumps(body).encode(), dialect), FIXED)

    assert (None, target_position * MAX_CONTRACTS) == (alert.quantity, alert.target_position)


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("traderspost", {"ticker": "MNQ1!", "action": "buy", "quantity": 1}),
        ("pickmytrade", {"symbol": "MNQ1!", "data": "buy", "quantity": 1, "reverse_order_close": True}),
        ("tickwork", {"symbol": "MNQ", "market_position": "long", "market_position_size": 1}),
    ],
)
def test_a_hook_that_sizes_by_risk_refuses_a_position_with_a_hint_that_its_sender_can_follow(
    dialect: str, body: dict[str, Any]
) -> None:
    with pytest.raises(RefusedAlertError) as caught:
        apply_settings(parse_alert(json.dumps(body).encode(), dialect), RISK)

    assert "give the hook another size" in caught.value.hint
