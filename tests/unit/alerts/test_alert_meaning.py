"""The meaning of an alert: exits that nothing can stop, target positions, limit and stop entries, misspelt fields."""

import json
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.alerts.alert import Alert, AlertAction
from shared.domain.alerts.misspelling import is_one_edit_away
from shared.domain.alerts.parse import parse_alert
from shared.domain.alerts.payload import RefusedAlertError
from shared.domain.orders.order import Direction, OrderType

BUY = {"action": "buy", "symbol": "MNQ", "quantity": 1, "stop_loss_ticks": 40}
CLOSE = {"action": "close", "symbol": "MNQ"}


def parse(**fields: Any) -> Alert:
    return parse_alert(json.dumps(fields).encode())


def refuse(**fields: Any) -> RefusedAlertError:
    with pytest.raises(RefusedAlertError) as caught:
        parse(**fields)
    return caught.value


@pytest.mark.parametrize(
    "unused",
    [
        {"quantity": "0"},
        {"quantity": -1},
        {"quantity": "all"},
        {"take_profit": "NaN"},
        {"stop_loss_ticks": 0},
        {"stop_loss": 1, "stop_loss_ticks": 1},
        {"order_type": "nonsense"},
        {"id": ""},
        {"timenow": "{{timenow}}"},
        {"market_position": "{{strategy.market_position}}"},
        {"quantitty": 0},
        {"stop_los": 1},
    ],
    ids=str,
)
def test_what_a_close_does_not_use_cannot_stop_it(unused: dict[str, Any]) -> None:
    alert = parse(**CLOSE | unused)

    assert (AlertAction.CLOSE, None, None) == (alert.action, alert.quantity, alert.target_position)
    assert (None, None) == (alert.stop_loss_ticks, alert.take_profit)


@pytest.mark.parametrize("name", ["quantitty", "contract", "order_qty"])
def test_a_close_with_a_quantity_under_another_name_is_refused_as_it_would_close_all(name: str) -> None:
    assert name == refuse(**CLOSE | {name: 1}).field


def test_a_close_with_a_quantity_is_a_part() -> None:
    assert 2 == parse(**CLOSE | {"quantity": "2"}).quantity


@pytest.mark.parametrize("action", ["buy", "sell", "long", None])
def test_a_flat_market_position_is_an_exit_whatever_the_action_says(action: str | None) -> None:
    fields = {"symbol": "MNQ", "quantity": 1, "market_position": "flat", "market_position_size": 0}
    alert = parse(**fields | ({"action": action} if action else {}))

    assert (AlertAction.CLOSE, None) == (alert.action, alert.quantity)


@pytest.mark.parametrize(
    ("position", "size", "action", "target_position"),
    [("long", 2, AlertAction.BUY, 2), ("short", "1", AlertAction.SELL, -1), ("LONG", 1.0, AlertAction.BUY, 1)],
)
def test_a_market_position_with_its_size_is_a_target_position(
    position: str, size: object, action: AlertAction, target_position: int
) -> None:
    alert = parse(symbol="MNQ", quantity=5, market_position=position, market_position_size=size)

    assert (action, target_position, abs(target_position)) == (alert.action, alert.target_position, alert.quantity)


@pytest.mark.parametrize(("action", "position"), [("sell", "long"), ("buy", "short")])
def test_an_action_against_the_wanted_side_is_an_exit_that_never_opens(action: str, position: str) -> None:
    fields = BUY | {"action": action, "market_position": position}
    part, to_position = parse(**fields), parse(**fields | {"market_position_size": 2})

    assert (AlertAction.CLOSE, 1, None) == (part.action, part.quantity, part.target_position)
    assert (AlertAction.CLOSE, None, 2) == (
        to_position.action,
        to_position.quantity,
        abs(to_position.target_position or 0),
    )


def test_an_entry_with_a_market_position_needs_its_size() -> None:
    assert "market_position_size" == refuse(**BUY | {"market_position": "long"}).field


@pytest.mark.parametrize(
    "more",
    [
        {"market_position_size": None},
        {"market_position_size": ""},
        {"market_position_size": "{{strategy.market_position_size}}"},
        {"action": "{{strategy.order.action}}"},
        {"action": "exit_long"},
        {"quantity": "NaN", "stop_loss_ticks": 0},
    ],
    ids=str,
)
def test_a_flat_market_position_is_an_exit_of_all_whatever_else_is_invalid(more: dict[str, Any]) -> None:
    for action in ("sell", "close"):
        alert = parse(**{"action": action, "symbol": "MNQ", "quantity": 1, "market_position": "flat"} | more)

        assert (AlertAction.CLOSE, None, None) == (alert.action, alert.quantity, alert.target_position)


@pytest.mark.parametrize("side", [{}, {"market_position": ""}, {"market_position": None}], ids=str)
@pytest.mark.parametrize("size", [0, "0", "0.0", 0.0])
def test_a_position_of_size_zero_without_a_side_is_flat(side: dict[str, Any], size: object) -> None:
    for action in ("buy", "sell", "close"):
        fields = {"action": action, "prev_market_position": "long", "market_position_size": size, "stop_loss": "NaN"}
        alert = parse(symbol="MNQ", quantity=1, **fields | side)

        assert (AlertAction.CLOSE, None, None) == (alert.action, alert.quantity, alert.target_position)

    assert AlertAction.CLOSE is parse(symbol="MNQ", market_position_size=size, **side).action


@pytest.mark.parametrize("size", [1, "2", "NaN", "", None, -1])
def test_an_entry_with_the_size_of_a_position_but_no_side_is_refused(size: object) -> None:
    error = refuse(**BUY | {"market_position_size": size})

    assert ("market_position", True) == (error.field, "with market_position_size, or neither" in error.hint)


@pytest.mark.parametrize(
    "wrong",
    [
        {"market_position": "up"},
        {"market_position": "long", "market_position_size": 0},
        {"market_position": "long", "market_position_size": "NaN"},
    ],
    ids=str,
)
def test_an_entry_with_an_unreadable_target_position_is_refused(wrong: dict[str, Any]) -> None:
    assert refuse(**BUY | wrong).field.startswith("market_position")


@pytest.mark.parametrize(
    ("position", "direction"),
    [("long", Direction.LONG), ("Short", Direction.SHORT), ("flat", Direction.FLAT), ("", None), (None, None)],
)
def test_a_chart_that_was_flat_is_not_one_whose_position_is_unknown(
    position: str | None, direction: Direction | None
) -> None:
    assert direction is parse(**BUY | {"prev_market_position": position}).prev_direction


def test_without_an_action_only_a_target_position_says_what_to_do() -> None:
    assert "action" == refuse(symbol="MNQ", quantity=1).field
    assert "market_position_size" == refuse(symbol="MNQ", quantity=1, market_position="long").field
    assert 3 == parse(symbol="MNQ", market_position="long", market_position_size=3).target_position


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (OrderType.MARKET, None)),
        ({"order_type": "market"}, (OrderType.MARKET, None)),
        ({"order_type": "limit", "limit_price": 21500.25}, (OrderType.LIMIT, Decimal("21500.25"))),
        ({"limit_price": "21500.25"}, (OrderType.LIMIT, Decimal("21500.25"))),
        ({"order_type": "Stop", "stop_price": 21600}, (OrderType.STOP, Decimal(21600))),
        ({"stop_price": 21600}, (OrderType.STOP, Decimal(21600))),
    ],
    ids=str,
)
def test_limit_and_stop_entries_have_a_price(
    fields: dict[str, Any], expected: tuple[OrderType, Decimal | None]
) -> None:
    alert = parse(**BUY | fields)

    assert expected == (alert.type, alert.price)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"order_type": "limit"}, "limit_price"),
        ({"order_type": "stop", "limit_price": 1}, "limit_price"),
        ({"order_type": "market", "limit_price": 1}, "limit_price"),
        ({"limit_price": 1, "stop_price": 2}, "limit_price"),
        ({"order_type": "iceberg"}, "order_type"),
        ({"order_type": "limit", "limit_price": 0}, "limit_price"),
    ],
    ids=str,
)
def test_an_order_type_that_contradicts_its_price_is_refused(fields: dict[str, Any], field: str) -> None:
    assert field == refuse(**BUY | fields).field


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("take_profit_tick", "take_profit_ticks"),
        ("stop_los", "stop_loss"),
        ("stoploss", "stop_loss"),
        ("limt_price", "limit_price"),
        ("quantiy", "quantity"),
        ("Quantity", "quantity"),
        ("takeProfitTicks", "take_profit_ticks"),
        ("timenw", "timenow"),
        ("time_now", "timenow"),
        ("Time", "time"),
        ("ID", "id"),
        ("prev_market_positon", "prev_market_position"),
        ("prevMarketPosition", "prev_market_position"),
        ("symbl", "symbol"),
    ],
)
def test_a_field_one_letter_case_or_signs_away_from_ours_is_refused(name: str, meant: str) -> None:
    error = refuse(**BUY | {name: 4})

    assert (name, True) == (error.field, f"did you mean {meant}" in error.hint)


@pytest.mark.parametrize(
    "name", ["comment", "ids", "price", "size", "close", "strategy", "interval", "profit", "type", "bar_time"]
)
def test_another_unknown_field_is_kept(name: str) -> None:
    assert {name: 7} == parse(**BUY | {name: 7}).extras


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("stop", "stop", False),
        ("stop", "stops", True),
        ("stops", "stop", True),
        ("stop", "step", True),
        ("stop", "sotp", True),
        ("stop", "pots", False),
        ("stop", "stopped", False),
        ("id", "ids", False),
    ],
)
def test_one_edit_is_a_letter_more_less_changed_or_swapped(one: str, two: str, expected: bool) -> None:  # noqa: FBT001
    assert expected is is_one_edit_away(one, two)
