"""Names of other senders that say another order than a market entry are refused with ours, in every dialect."""

import json
from typing import Any

import pytest

from shared.domain.alerts.alert import AlertAction
from shared.domain.alerts.parse import parse_alert
from shared.domain.alerts.payload import RefusedAlertError
from shared.domain.orders.order import Direction, OrderType

ENTRIES: dict[str, dict[str, Any]] = {
    "tickwork": {"action": "buy", "symbol": "MNQ", "quantity": 1},
    "tradingview": {"action": "buy", "ticker": "MNQ1!", "contracts": 1},
    "traderspost": {"action": "buy", "ticker": "MNQ1!", "quantity": 1},
}


def refuse(dialect: str, body: dict[str, Any]) -> RefusedAlertError:
    with pytest.raises(RefusedAlertError) as caught:
        parse_alert(json.dumps(body).encode(), dialect)
    return caught.value


@pytest.mark.parametrize("dialect", ["tickwork", "tradingview"])
@pytest.mark.parametrize(
    ("name", "value", "ours"),
    [
        ("type", "limit", "limit_price"),
        ("order", "LIMIT", "limit_price"),
        ("order_kind", "stop-limit", "order_type"),
        ("limit", 21500, "limit_price"),
        ("stop", 21480, "stop_loss"),
        ("stop_ticks", 40, "stop_loss_ticks"),
        ("sl_price", "21480", "stop_loss"),
        ("stopLossPrice", 21480, "stop_loss"),
        ("stop_loss_points", 10, "stop_loss_ticks"),
        ("target", 21550, "take_profit"),
        ("tp1", 21550, "take_profit"),
        ("target_ticks", 80, "take_profit_ticks"),
        ("trail_points", 40, "trail_ticks"),
        ("trailing_stop_ticks", 20, "trail_ticks"),
        ("breakeven_ticks", 20, "breakeven"),
        ("target_position", 2, "market_position"),
        ("targetPositionSize", "-1", "market_position"),
    ],
)
def test_a_name_that_says_another_order_is_refused_with_ours(dialect: str, name: str, value: object, ours: str) -> None:
    error = refuse(dialect, ENTRIES[dialect] | {name: value})

    assert name == error.field
    assert ours in error.hint


@pytest.mark.parametrize("dialect", ENTRIES)
@pytest.mark.parametrize(
    "mark",
    [
        {"closePosition": "true"},
        {"exit": True, "sl": 21480},
        {"is_exit": "1"},
        {"close": True},
        {"reduce": 1},
        {"intent": "close"},
        {"position_effect": "CLOSING", "type": "limit"},
        {"sentiment": "flat"},
        {"position": "FLAT"},
        {"target_position": 0},
        {"new_position_size": "0"},
        {"targetPosition": "0.0"},
        {"type": "exit"},
        {"order": "Close"},
        {"kind": "exit-long"},
        {"strategy": {"order": {"kind": "exit"}}},
        {"strategy": {"order": {"reduce_only": True}}},
        {"strategy": {"position": "flat"}},
        {"Strategy": {"position_size": 0}},
    ],
    ids=str,
)
@pytest.mark.parametrize(("action", "closes"), [("sell", Direction.LONG), ("buy", Direction.SHORT)])
def test_a_sale_that_is_marked_as_an_exit_only_closes(
    dialect: str, mark: dict[str, Any], action: str, closes: Direction
) -> None:
    alert = parse_alert(json.dumps(ENTRIES[dialect] | {"action": action} | mark).encode(), dialect)

    part = None if dialect == "traderspost" else 1  # an exit of TradersPost closes all
    assert (AlertAction.CLOSE, closes, part) == (alert.action, alert.only_direction, alert.quantity)


@pytest.mark.parametrize("name", ["limit", "stop"])
def test_it_is_refused_in_an_object_of_tradingview_too(name: str) -> None:
    error = refuse("tradingview", ENTRIES["tradingview"] | {"strategy": {"order": {name: 21480}}})

    assert f"strategy.order.{name}" == error.field


def test_it_is_refused_in_the_text_of_a_platform() -> None:
    with pytest.raises(RefusedAlertError, match="limit_price"):
        parse_alert(b"action=buy;symbol=MNQ;quantity=1;type=limit;price=21500", "text")


@pytest.mark.parametrize("dialect", ENTRIES)
@pytest.mark.parametrize(
    "told",
    [
        {"price": 21500.25, "order_price": 21500},
        {"close": 21500, "open": "21499", "high": 21501, "low": 21490, "volume": 1000},
        {"exchange": "CME_MINI", "interval": "5", "time": "2026-03-10T15:00:00Z"},
        {"comment": "stop", "strategy": "trend", "message": "exit", "alert_name": "limit"},
        {"type": "market"},
        {"type": "entry", "order": "Long"},
        {"position": "long", "position_size": 3, "sentiment": "bullish"},
        {"position": 1, "sentiment": "long"},
        {"position": 0},
        {"entry_type": "close"},
        {"market_position": "long", "market_position_size": 1, "target_position": 1, "position": "long"},
        {"target": "account-1", "stop_ticks": "NaN", "exit": "18000.25", "stop": "none"},
        {"stop": 0, "target": None, "exit": False, "closePosition": "false", "intent": "open"},
    ],
)
def test_a_name_that_only_tells_something_is_kept(dialect: str, told: dict[str, Any]) -> None:
    body = {name: value for name, value in (ENTRIES[dialect] | told).items() if value is not None}
    alert = parse_alert(json.dumps(body).encode(), dialect)

    assert (AlertAction.BUY, OrderType.MARKET) == (alert.action, alert.type)


@pytest.mark.parametrize("dialect", ENTRIES)
def test_nothing_of_that_stops_an_exit(dialect: str) -> None:
    body = ENTRIES[dialect] | {"action": "exit", "type": "limit", "stop": 21480, "closePosition": True}

    assert AlertAction.CLOSE is parse_alert(json.dumps(body).encode(), dialect).action


@pytest.mark.parametrize("name", ["strategy.market_position", "strategy_market_position", "strategyMarketPosition"])
@pytest.mark.parametrize("dialect", ["tickwork", "traderspost"])
def test_the_chart_under_the_name_of_its_placeholder_opens_nothing_while_it_is_flat(dialect: str, name: str) -> None:
    sale = ENTRIES[dialect] | {"action": "sell"}
    alert = parse_alert(json.dumps(sale | {name: "flat"}).encode(), dialect)

    assert (AlertAction.CLOSE, Direction.LONG) == (alert.action, alert.only_direction)
    if dialect == "tickwork":  # a plain sale of TradersPost is a position, which this does not change
        assert "send market_position" in refuse(dialect, sale | {name: "long"}).hint


@pytest.mark.parametrize("dialect", ["tickwork", "traderspost", "pickmytrade"])
@pytest.mark.parametrize(
    ("nested", "field"),
    [
        ({"order": {"type": "limit", "limit_price": 21400}}, "order.type"),
        ({"order": {"limit_price": 21400}}, "order.limit_price"),
        ({"order": {"stop_price": 21400}}, "order.stop_price"),
        ({"strategy": {"order_type": "stop"}}, "strategy.order_type"),
        ({"strategy": {"stop_loss": 21600.25}}, "strategy.stop_loss"),
        ({"strategy": {"order": {"take_profit_ticks": 40}}}, "strategy.order.take_profit_ticks"),
    ],
)
def test_what_an_object_says_of_the_order_is_refused_where_it_is_not_read(
    dialect: str, nested: dict[str, Any], field: str
) -> None:
    entry = ENTRIES.get(dialect) or {"symbol": "MNQ", "data": "buy", "quantity": 1}
    assert field == refuse(dialect, entry | nested).field
