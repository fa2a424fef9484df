"""Parses the body of a webhook into an alert, field by field, or refuses it with a hint."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TypedDict, TypeVar

from shared.domain.alerts.alert import Alert, AlertAction
from shared.domain.alerts.dialects import read_payload_in
from shared.domain.alerts.entry_order import parse_entry_price, parse_order_type
from shared.domain.alerts.exit_part import refuse_unreadable_part
from shared.domain.alerts.field_names import FIELDS
from shared.domain.alerts.fields import (
    CONTRACTS_HINT,
    invalid_value,
    missing_field,
    parse_contracts,
    parse_external_id,
    parse_price,
    parse_symbol_field,
    parse_ticks,
    parse_time,
    parse_whole_number,
    read_field,
    read_instant,
    read_unsigned,
)
from shared.domain.alerts.foreign_names import is_marked_as_exit, refuse_foreign_names
from shared.domain.alerts.market_position import (
    is_flat,
    parse_direction,
    parse_target_position,
    refuse_size_without_side,
)
from shared.domain.alerts.misspelling import find_near
from shared.domain.alerts.payload import Json, RefusedAlertError, has_plain_numbers, quote_value, show_name
from shared.domain.orders.order import MAX_TICKS, Direction

Value = TypeVar("Value")

ACTIONS = {
    "buy": AlertAction.BUY,
    "long": AlertAction.BUY,
    "sell": AlertAction.SELL,
    "short": AlertAction.SELL,
    "close": AlertAction.CLOSE,
    "flatten": AlertAction.CLOSE,
    "exit": AlertAction.CLOSE,
    "close_long": AlertAction.CLOSE,
    "exit_long": AlertAction.CLOSE,
    "close_short": AlertAction.CLOSE,
    "exit_short": AlertAction.CLOSE,
    "cancel": AlertAction.CANCEL,
    "cancel_all": AlertAction.CANCEL,
    "move_stop": AlertAction.MOVE_STOP,
    "modify_stop": AlertAction.MOVE_STOP,
    "breakeven": AlertAction.BREAKEVEN,
    "trail": AlertAction.TRAIL,
    "test": AlertAction.TEST,
}
_CHANGES = {
    AlertAction.CANCEL, AlertAction.MOVE_STOP, AlertAction.BREAKEVEN, AlertAction.TRAIL, AlertAction.TEST,
}  # fmt: skip
_ONLY_DIRECTIONS = {
    "close_long": Direction.LONG,
    "exit_long": Direction.LONG,
    "close_short": Direction.SHORT,
    "exit_short": Direction.SHORT,
}


_ACTION_HINT = 'expected "buy", "sell", "close", "cancel", "move_stop", "breakeven", "trail" or "test"'
_ACTION_OF_DIRECTION: Mapping[Direction | None, AlertAction] = {
    Direction.LONG: AlertAction.BUY,
    Direction.SHORT: AlertAction.SELL,
}
_CLOSING_WORDS = {AlertAction.BUY: "close_short", AlertAction.SELL: "close_long"}
_FIELDS = frozenset(FIELDS)


def parse_alert(raw: bytes, dialect: str = "tickwork") -> Alert:
    """Return the alert in the body of a webhook; raise RefusedAlertError for a body that holds none."""
    return parse_payload(read_payload_in(dialect, raw))


def parse_payload(payload: Mapping[str, Json]) -> Alert:
    """Return the alert in a payload; raise RefusedAlertError for a missing required field, or for an invalid one.

    `order_type` is market unless a price says another; of a close, only an invalid symbol and a part that cannot be
    read are refused.
    """
    word = payload.get("action")
    change = ACTIONS.get(word.strip().lower()) if isinstance(word, str) else None
    if change in _CHANGES:
        return _parse_change(payload, change)
    if is_flat(payload):
        return _parse_close(payload)
    action = _parse_action(payload) if "action" in payload else None
    if action is AlertAction.CLOSE:
        return _parse_close(payload)
    direction = parse_direction(payload)
    if direction is not None and action is not None and action is not _ACTION_OF_DIRECTION[direction]:
        return _parse_close(payload)  # a sale of a chart that stays long takes off a part: it never opens
    action = action or _ACTION_OF_DIRECTION.get(direction)
    if action is None:
        raise missing_field("action", _ACTION_HINT)
    if is_marked_as_exit(payload):
        return _parse_close({**payload, "action": _CLOSING_WORDS[action]})
    if direction is None:
        refuse_size_without_side(payload)
    target_position = None if direction is None else parse_target_position(payload, direction)
    _refuse_misspelt_field(payload)
    refuse_foreign_names(payload)
    type_ = parse_order_type(payload)
    return Alert(
        action=action,
        symbol=parse_symbol_field(payload),
        quantity=_parse_quantity(payload) if target_position is None else abs(target_position),
        target_position=target_position,
        type=type_,
        price=parse_entry_price(payload, type_),
        external_id=parse_external_id(payload),
        stop_loss_ticks=parse_ticks(payload, "stop_loss_ticks", "stop_loss"),
        take_profit_ticks=parse_ticks(payload, "take_profit_ticks", "take_profit"),
        stop_loss=parse_price(payload, "stop_loss"),
        take_profit=parse_price(payload, "take_profit"),
        trail_ticks=_parse_trail_ticks(payload),
        prev_direction=parse_direction(payload, "prev_market_position", is_strict=False),
        **_parse_common(payload),
    )


def _parse_close(payload: Mapping[str, Json]) -> Alert:
    """Return an exit: of all, of a readable `quantity`, or down to a readable position.

    Raise RefusedAlertError for an invalid symbol, or for a part that cannot be read; nothing else can stop it.
    """
    chart = parse_direction(payload, is_strict=False)
    chart_direction = None if is_flat(payload) else chart
    target_position = None
    if chart_direction is not None:
        target_position = _read_or_none(partial(parse_target_position, direction=chart_direction), payload)
    word = payload.get("action")
    word = word.strip().lower() if isinstance(word, str) else ""
    only_direction = _ONLY_DIRECTIONS.get(word)
    may_be_part = target_position is None and not is_flat(payload)
    quantity = _read_or_none(_parse_quantity, payload) if may_be_part else None
    is_reduction = target_position is None and word in ACTIONS and ACTIONS[word].is_entry
    if is_reduction and chart_direction is not None:
        only_direction = chart_direction  # a sale of a chart that is long buys nothing back
    if quantity is None and may_be_part:
        refuse_unreadable_part(payload)
        if is_reduction and chart_direction is not None:
            _require_no_rest(payload, word, chart_direction)
    return Alert(
        action=AlertAction.CLOSE,
        symbol=parse_symbol_field(payload),
        quantity=quantity,
        target_position=target_position,
        only_direction=only_direction,
        kept_direction=None if quantity is None else chart_direction,
        external_id=_read_or_none(parse_external_id, payload),
        **_parse_common(payload, is_strict=False),
    )


def _require_no_rest(payload: Mapping[str, Json], word: str, chart: Direction) -> None:
    """Raise RefusedAlertError for a reduction of unknown size: it would close a position of which the chart keeps some.

    A `market_position_size` of 0 says that the chart keeps none.
    """
    if read_unsigned(payload.get("market_position_size")) == 0:
        return
    side = chart.value.lower()
    hint = (
        "send quantity, the part to close, or market_position_size, the position that stays; "
        f"to close all, send close_{side} as the action"
    )
    raise RefusedAlertError(f"{word} without a size while market_position is {side}", field="quantity", hint=hint)


def _parse_change(payload: Mapping[str, Json], action: AlertAction) -> Alert:
    """Return an alert that changes orders or nothing: CANCEL, MOVE_STOP, BREAKEVEN, TRAIL or TEST."""
    stop_loss_ticks = stop_loss = trail_ticks = None
    if action is AlertAction.MOVE_STOP:
        stop_loss_ticks = parse_ticks(payload, "stop_loss_ticks", "stop_loss")
        stop_loss = parse_price(payload, "stop_loss")
        if stop_loss_ticks is None and stop_loss is None:
            raise missing_field("stop_loss", "expected the new price of the stop, or stop_loss_ticks")
    if action is AlertAction.TRAIL:
        trail_ticks = _parse_trail_ticks(payload)
        if trail_ticks is None:
            raise missing_field("trail_ticks", "expected the distance of the stop from the best price, such as 40")
    return Alert(
        action=action,
        symbol=parse_symbol_field(payload),
        stop_loss_ticks=stop_loss_ticks,
        stop_loss=stop_loss,
        trail_ticks=trail_ticks,
        external_id=_read_or_none(parse_external_id, payload),
        **_parse_common(payload, is_strict=False),
    )


def _parse_trail_ticks(payload: Mapping[str, Json]) -> int | None:
    """Return the distance of a trailing stop from the best price, None without one."""
    hint = f"expected a whole number of ticks from 1 to {MAX_TICKS} without a sign, such as 40"
    value = read_field(payload, "trail_ticks", hint)
    return None if value is None else parse_whole_number("trail_ticks", value, MAX_TICKS, hint)


class _Common(TypedDict):
    alert_time: str | None
    sent_at: datetime | None
    extras: Mapping[str, Json]
    is_storable: bool


def _parse_common(payload: Mapping[str, Json], *, is_strict: bool = True) -> _Common:
    """Return what every alert has; without `is_strict` an unreadable time is none."""
    timenow, time = (
        parse_time(payload, field) if is_strict else _read_or_none(partial(parse_time, field=field), payload)
        for field in ("timenow", "time")
    )
    return {
        "alert_time": timenow or time,
        "sent_at": None if timenow is None else read_instant(timenow),
        "extras": {name: value for name, value in payload.items() if name not in FIELDS},
        "is_storable": has_plain_numbers(payload),
    }


def _read_or_none(parse: Callable[[Mapping[str, Json]], Value], payload: Mapping[str, Json]) -> Value | None:
    try:
        return parse(payload)
    except RefusedAlertError:
        return None


def _refuse_misspelt_field(payload: Mapping[str, Json]) -> None:
    """Raise RefusedAlertError for a name one letter, case or signs away from one of ours.

    The entry would be made without its stop or its target, at any age, or twice.
    """
    for name in payload.keys() - _FIELDS:
        near = find_near(name, FIELDS)
        if near is not None:
            hint = f"did you mean {near}? Rename or remove the field"
            raise RefusedAlertError(f"unknown field {quote_value(name)}", field=show_name(name), hint=hint)


def _parse_action(payload: Mapping[str, Json]) -> AlertAction:
    value = read_field(payload, "action", _ACTION_HINT)
    action = ACTIONS.get(value.strip().lower()) if isinstance(value, str) else None
    if action is None:
        raise invalid_value("action", value, _ACTION_HINT)
    return action


def _parse_quantity(payload: Mapping[str, Json]) -> int:
    quantity = parse_contracts(payload, "quantity")
    if quantity is None:
        raise missing_field("quantity", CONTRACTS_HINT)
    return quantity
