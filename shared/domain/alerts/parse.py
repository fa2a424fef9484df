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
    MAX_CONTRACTS,
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
_ONLY_SIDES = {
    "close_long": Direction.LONG,
    "exit_long": Direction.LONG,
    "close_short": Direction.SHORT,
    "exit_short": Direction.SHORT,
}


_ACTION_HINT = 'expected "buy", "sell", "close", "cancel", "move_stop", "breakeven", "trail" or "test"'
_SIDE_OF_TARGET = {True: AlertAction.BUY, False: AlertAction.SELL}
_FIELDS = frozenset(FIELDS)
_SIGNS = {"long": 1, "short": -1, "flat": 0}


def parse_alert(raw: bytes, dialect: str = "tickwork") -> Alert:
    """Return the alert in the body of a webhook; raise RefusedAlertError for a body that holds none."""
    return parse_payload(read_payload_in(dialect, raw))


def parse_payload(payload: Mapping[str, Json]) -> Alert:
    """Return the alert in a payload; raise RefusedAlertError for a missing required field, or for an invalid one.

    `order_type` is market unless a price says another; of a close, only an invalid symbol is refused.
    """
    word = payload.get("action")
    change = ACTIONS.get(word.strip().lower()) if isinstance(word, str) else None
    if change in _CHANGES:
        return _parse_change(payload, change)
    if _parse_sign(payload, is_strict=False) == 0:
        return _parse_close(payload)
    action = _parse_action(payload) if "action" in payload else None
    if action is AlertAction.CLOSE:
        return _parse_close(payload)
    sign = _parse_sign(payload)
    if sign is not None and action is not None and action is not _SIDE_OF_TARGET[sign > 0]:
        return _parse_close(payload)  # a sale of a chart that stays long takes off a part: it never opens
    target = _parse_target(payload)
    if action is None and target is None:
        raise missing_field("action", _ACTION_HINT)
    _refuse_misspelt_field(payload)
    type_ = parse_order_type(payload)
    return Alert(
        action=action or _SIDE_OF_TARGET[(target or 0) > 0],
        symbol=parse_symbol_field(payload),
        quantity=_parse_quantity(payload) if target is None else abs(target),
        target=target,
        type=type_,
        price=parse_entry_price(payload, type_),
        external_id=parse_external_id(payload),
        stop_loss_ticks=parse_ticks(payload, "stop_loss_ticks", "stop_loss"),
        take_profit_ticks=parse_ticks(payload, "take_profit_ticks", "take_profit"),
        stop_loss=parse_price(payload, "stop_loss"),
        take_profit=parse_price(payload, "take_profit"),
        trail_ticks=_parse_trail_ticks(payload),
        prev_position=_parse_sign(payload, "prev_market_position", is_strict=False),
        **_parse_common(payload),
    )


def _parse_close(payload: Mapping[str, Json]) -> Alert:
    """Return an exit: of all, of a readable `quantity`, or down to a readable target; nothing else can stop it."""
    sign = _parse_sign(payload, is_strict=False)
    target = _read_or_none(_parse_target, payload) if sign else None
    word = payload.get("action")
    word = word.strip().lower() if isinstance(word, str) else ""
    only_side = _ONLY_SIDES.get(word)
    quantity = _read_or_none(_parse_quantity, payload) if target is None and sign != 0 else None
    is_reduction = sign and target is None and word in ACTIONS and ACTIONS[word].is_entry
    chart_side = Direction.LONG if sign == 1 else Direction.SHORT
    if is_reduction:
        only_side = chart_side  # a sale of a chart that is long buys nothing back
    if quantity is None and target is None and sign != 0:
        refuse_unreadable_part(payload)
    return Alert(
        action=AlertAction.CLOSE,
        symbol=parse_symbol_field(payload),
        quantity=quantity,
        target=target or None,
        only_side=only_side,
        kept_side=chart_side if sign and (is_reduction or quantity is not None) else None,
        external_id=_read_or_none(parse_external_id, payload),
        **_parse_common(payload, is_strict=False),
    )


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


def _parse_sign(payload: Mapping[str, Json], field: str = "market_position", *, is_strict: bool = True) -> int | None:
    """Return the side of a position of the sender's: 1 long, -1 short, 0 flat; None if it says none.

    Without `is_strict` an unreadable one is None too.
    """
    hint = f'expected "long", "short" or "flat", such as "{{{{strategy.{field}}}}}"'
    try:
        value = read_field(payload, field, hint)
        sign = _SIGNS.get(value.strip().lower()) if isinstance(value, str) else None
        if value is not None and sign is None:
            raise invalid_value(field, value, hint)
    except RefusedAlertError:
        if is_strict:
            raise
        return None
    return sign


def _parse_target(payload: Mapping[str, Json]) -> int | None:
    """Return the position that the sender wants, negative for short; None if the alert does not say it.

    It does with `market_position` and `market_position_size`, as TradingView's strategies fill them; one without the
    other is refused, as what is traded could contradict it.
    """
    sign = _parse_sign(payload)
    if not sign:
        return sign
    hint = f"expected a whole number of contracts from 1 to {MAX_CONTRACTS}, as market_position is not flat"
    size = read_field(payload, "market_position_size", hint)
    if size is None:
        raise missing_field("market_position_size", hint)
    return sign * parse_whole_number("market_position_size", size, MAX_CONTRACTS, hint)


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
