"""Two names of one field are compared by what they mean: only a contradiction is refused."""

import json
from typing import Any

import pytest

from shared.domain.alerts.parse import parse_alert
from shared.domain.alerts.payload import RefusedAlertError
from tests.unit.alerts.dialects.meaning import describe

TICKER: dict[str, Any] = {"ticker": "MNQ1!"}


def read(fields: dict[str, Any], dialect: str = "tradingview") -> str:
    return describe(parse_alert(json.dumps(TICKER | fields).encode(), dialect))


def read_own(fields: dict[str, Any]) -> str:
    return describe(parse_alert(json.dumps({"symbol": "MNQ"} | fields).encode()))


def refuse(fields: dict[str, Any], dialect: str = "tradingview") -> RefusedAlertError:
    with pytest.raises(RefusedAlertError) as caught:
        parse_alert(json.dumps(TICKER | {"symbol": "MNQ"} | fields).encode(), dialect)
    return caught.value


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"action": "close", "side": "long"}, "CLOSE LONG MNQ"),
        ({"side": "Short", "action": "exit"}, "CLOSE SHORT MNQ"),
        ({"signal": "exit", "side": "long", "contracts": 2}, "CLOSE LONG 2 MNQ"),
        ({"action": "close", "signal": "exit_long"}, "CLOSE LONG MNQ"),
        ({"action": "close_long", "side": "sell"}, "CLOSE LONG MNQ"),
        ({"action": "close_long", "side": "long"}, "CLOSE LONG MNQ"),
        ({"action": "close", "signal": "RSI exit"}, "CLOSE MNQ"),
        ({"signal": "RSI exit", "action": "close", "contracts": 1}, "CLOSE 1 MNQ"),
        ({"action": "close", "signal": 17}, "CLOSE MNQ"),
        ({"action": "close", "side": "sell"}, "CLOSE MNQ"),
        ({"action": "close", "signal": "short"}, "CLOSE MNQ"),  # the chart's new signal, not the side to close
        ({"action": "close", "side": "flat"}, "CLOSE MNQ"),
        ({"action": "exit", "side": "close"}, "CLOSE MNQ"),
        ({"order": {"action": "sell", "contracts": 1}, "signal": "exit"}, "CLOSE 1 MNQ"),
        ({"action": "{{strategy.order.action}}", "side": "close"}, "CLOSE MNQ"),
        ({"action": "sell", "side": "long", "market_position": "flat"}, "CLOSE MNQ"),
        ({"action": "exit_long", "signal": "exit_short", "market_position": "flat"}, "CLOSE MNQ"),
        ({"action": "sell", "side": "long", "market_position": "long", "market_position_size": 2}, "CLOSE MNQ to +2"),
        ({"action": "close", "symbol": "MNQ"}, "CLOSE MNQ"),
        ({"action": "close", "symbol": "CME_MINI:MNQ1!", "instrument": "mnq"}, "CLOSE MNQ"),
        ({"action": "close", "ticker": "MNQZ6", "symbol": "MNQZ2026"}, "CLOSE MNQZ6"),
        ({"action": "buy", "side": "long", "contracts": 1}, "BUY 1 MNQ"),
        ({"action": "sell", "signal": "Enter Short", "contracts": 1, "symbol": "MNQ"}, "SELL 1 MNQ"),
        ({"action": "buy", "contracts": 1, "market_position": "long", "market_position_size": 1,
          "strategy": {"market_position": "LONG"}}, "LONG 1 MNQ"),
    ],
    ids=str,
)  # fmt: skip
def test_names_that_mean_the_same_or_narrow_an_exit_are_taken(fields: dict[str, Any], expected: str) -> None:
    assert expected == read(fields)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"action": "buy", "side": "short", "contracts": 1}, "side"),
        ({"action": "buy", "side": "long", "signal": "sell", "contracts": 1}, "signal"),
        ({"action": "buy", "signal": "RSI", "contracts": 1}, "signal"),
        ({"action": "buy", "signal": "close", "contracts": 1}, "signal"),
        ({"action": "exit_long", "signal": "exit_short"}, "signal"),
        ({"action": "close", "symbol": "MES"}, "symbol"),
        ({"action": "close", "symbol": "MNQZ6"}, "symbol"),
        ({"action": "close", "ticker": "MNQZ2026", "symbol": "MNQZ2016"}, "symbol"),
        ({"action": "buy", "contracts": 1, "ticker": "NYSE:CL", "symbol": "CL"}, "symbol"),
        ({"action": "buy", "contracts": 1, "ticker": "CL", "symbol": "NYSE:CL"}, "symbol"),
    ],
    ids=str,
)
def test_names_that_contradict_each_other_are_refused(fields: dict[str, Any], field: str) -> None:
    error = refuse(fields)

    assert (field, True) == (error.field, "contradicts" in error.wrong)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"action": "close", "side": "short"}, "CLOSE SHORT MNQ"),
        ({"action": "Exit", "side": "Long", "quantity": 1}, "CLOSE LONG 1 MNQ"),
        ({"action": "close", "side": "sell"}, "CLOSE MNQ"),
        ({"action": "close", "side": "both"}, "CLOSE MNQ"),
        ({"action": "close_long", "side": "short"}, "CLOSE LONG MNQ"),
        ({"action": "buy", "side": "long", "quantity": 1}, "BUY 1 MNQ"),
        ({"action": "sell", "side": "long", "quantity": 1, "market_position": "long"}, "CLOSE LONG 1 MNQ"),
        ({"action": "sell", "side": "long", "quantity": 1, "market_position": "flat"}, "CLOSE MNQ"),
        ({"action": "breakeven", "side": "long"}, "BREAKEVEN MNQ"),
    ],
    ids=str,
)
def test_our_own_side_narrows_a_close(fields: dict[str, Any], expected: str) -> None:
    assert expected == read_own(fields)


@pytest.mark.parametrize("side", ["short", "sell", "both", 1])
def test_our_own_entry_on_another_side_is_refused(side: object) -> None:
    error = refuse({"action": "buy", "side": side, "quantity": 1, "stop_loss_ticks": 40}, "tickwork")

    assert ("side", True) == (error.field, "action 'buy' contradicts side" in error.wrong)


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        ("traderspost", {"action": "buy", "quantity": 1, "market_position_size": 3}),
        ("pickmytrade", {"symbol": "MNQ", "data": "buy", "quantity": 1, "reverse_order_close": True,
                         "market_position": "long", "market_position_size": 3}),
    ],
)  # fmt: skip
def test_a_position_of_another_size_than_the_quantity_that_makes_it_is_refused(
    dialect: str, fields: dict[str, Any]
) -> None:
    assert "market_position_size" == refuse(fields, dialect).field
