"""An alert: the body of a webhook, parsed field by field, or refused with a hint."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import TypeVar

from shared.domain.alerts.fields import (
    LONGEST_TEXT,
    invalid_value,
    missing_field,
    parse_external_id,
    parse_price,
    parse_ticks,
    parse_time,
    parse_whole_number,
    read_field,
)
from shared.domain.alerts.misspelling import is_one_edit_away
from shared.domain.alerts.payload import Json, RefusedAlertError, has_plain_numbers, quote_value, read_payload
from shared.domain.market_data.contract import Root
from shared.domain.market_data.symbol import Symbol, parse_symbol
from shared.domain.orders.order import OrderType

Value = TypeVar("Value")

MAX_CONTRACTS = 9_999

_TEXT_FIELDS = ("action", "symbol", "id", "time", "timenow", "order_type", "market_position", "prev_market_position")
_NUMBER_FIELDS = (
    "quantity", "stop_loss_ticks", "take_profit_ticks", "stop_loss", "take_profit", "limit_price", "stop_price",
    "market_position_size",
)  # fmt: skip
_FIELDS = (*_TEXT_FIELDS, *_NUMBER_FIELDS)
_TRADED_FIELDS = (*_NUMBER_FIELDS, "order_type", "market_position")  # a trade without one of these is another trade


class AlertAction(StrEnum):
    """The action that an alert requests."""

    BUY = "BUY"
    SELL = "SELL"
    CLOSE = "CLOSE"

    @property
    def is_entry(self) -> bool:
        """Whether it may open or enlarge a position; a CLOSE never does."""
        return self is not AlertAction.CLOSE


_ACTIONS = {
    "buy": AlertAction.BUY,
    "long": AlertAction.BUY,
    "sell": AlertAction.SELL,
    "short": AlertAction.SELL,
    "close": AlertAction.CLOSE,
    "flatten": AlertAction.CLOSE,
    "exit": AlertAction.CLOSE,
}


_ACTION_HINT = 'expected "buy", "sell" or "close"'
_ORDER_TYPES = {"market": OrderType.MARKET, "limit": OrderType.LIMIT, "stop": OrderType.STOP}
_PRICE_OF_TYPE = {OrderType.LIMIT: "limit_price", OrderType.STOP: "stop_price"}
_SIDE_OF_TARGET = {True: AlertAction.BUY, False: AlertAction.SELL}
_SIGNS = {"long": 1, "short": -1, "flat": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """The request of a webhook; ticks are unsigned distances.

    `quantity` is None only for a CLOSE, which then closes the whole position. `target` is the position that the sender
    wants, negative for short, if the alert says it: then the difference to what is held is traded, and `quantity` is
    the size of that position. A CLOSE with a target takes off what is held beyond it, and never opens. A CLOSE has no
    stop, target price or type: what it does not use cannot stop it.
    """

    action: AlertAction
    symbol: Symbol
    quantity: int | None
    target: int | None = None
    type: OrderType = OrderType.MARKET
    price: Decimal | None = None  # of a limit or stop entry
    external_id: str | None
    stop_loss_ticks: int | None = None
    take_profit_ticks: int | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    alert_time: str | None  # `timenow`, else `time`, as it was sent
    extras: Mapping[str, Json]
    is_storable: bool = True  # whether jsonb can store the body

    @property
    def root(self) -> Root:
        """The root of the symbol."""
        return self.symbol.root


def parse_alert(raw: bytes) -> Alert:
    """Return the alert in the body of a webhook; raise RefusedAlertError for a body that holds none."""
    return parse_payload(read_payload(raw))


def parse_payload(payload: Mapping[str, Json]) -> Alert:
    """Return the alert in a payload; raise RefusedAlertError for a missing required field, or for an invalid one.

    `order_type` is market unless a price says another; of a close, only an invalid symbol is refused.
    """
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
    times = [parse_time(payload, "timenow"), parse_time(payload, "time")]
    type_ = _parse_type(payload)
    return Alert(
        action=action or _SIDE_OF_TARGET[(target or 0) > 0],
        symbol=_parse_symbol(payload),
        quantity=_parse_quantity(payload) if target is None else abs(target),
        target=target,
        type=type_,
        price=_parse_entry_price(payload, type_),
        external_id=parse_external_id(payload),
        stop_loss_ticks=parse_ticks(payload, "stop_loss_ticks", "stop_loss"),
        take_profit_ticks=parse_ticks(payload, "take_profit_ticks", "take_profit"),
        stop_loss=parse_price(payload, "stop_loss"),
        take_profit=parse_price(payload, "take_profit"),
        alert_time=next(filter(None, times), None),
        extras=_extras_of(payload),
        is_storable=has_plain_numbers(payload),
    )


def _parse_close(payload: Mapping[str, Json]) -> Alert:
    """Return an exit: of all, of a readable `quantity`, or down to a readable target; nothing else can stop it."""
    sign = _parse_sign(payload, is_strict=False)
    target = _read_or_none(_parse_target, payload) if sign else None
    times = [_read_or_none(partial(parse_time, field=field), payload) for field in ("timenow", "time")]
    return Alert(
        action=AlertAction.CLOSE,
        symbol=_parse_symbol(payload),
        quantity=_read_or_none(_parse_quantity, payload) if target is None and sign != 0 else None,
        target=target or None,
        external_id=_read_or_none(parse_external_id, payload),
        alert_time=next(filter(None, times), None),
        extras=_extras_of(payload),
        is_storable=has_plain_numbers(payload),
    )


def _read_or_none(parse: Callable[[Mapping[str, Json]], Value], payload: Mapping[str, Json]) -> Value | None:
    try:
        return parse(payload)
    except RefusedAlertError:
        return None


def _extras_of(payload: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in payload.items() if name not in _FIELDS}


def _refuse_misspelt_field(payload: Mapping[str, Json]) -> None:
    """Raise RefusedAlertError for a name one letter away from one of ours: it would be a trade without its stop."""
    for name in set(payload) - set(_FIELDS):
        plain = name.lower()
        near = [field for field in _TRADED_FIELDS if plain == field or is_one_edit_away(plain, field)]
        if near:
            hint = f"did you mean {near[0]}? Rename or remove the field"
            raise RefusedAlertError(f"unknown field {quote_value(name)}", field=name[:LONGEST_TEXT], hint=hint)


def _parse_sign(payload: Mapping[str, Json], *, is_strict: bool = True) -> int | None:
    """Return the side of the position that the sender wants: 1 long, -1 short, 0 flat; None if it says none.

    Without `is_strict` an unreadable one is None too.
    """
    hint = 'expected "long", "short" or "flat", such as "{{strategy.market_position}}"'
    try:
        value = read_field(payload, "market_position", hint)
        sign = _SIGNS.get(value.strip().lower()) if isinstance(value, str) else None
        if value is not None and sign is None:
            raise invalid_value("market_position", value, hint)
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


def _parse_type(payload: Mapping[str, Json]) -> OrderType:
    """Return the type of the entry: `order_type`, or what `limit_price` or `stop_price` implies."""
    hint = 'expected "market", "limit" or "stop"'
    value = read_field(payload, "order_type", hint)
    implied = [type_ for type_, field in _PRICE_OF_TYPE.items() if field in payload]
    if value is None:
        if len(implied) > 1:
            raise RefusedAlertError(
                "limit_price contradicts stop_price", field="limit_price", hint="send one of them, or an order_type"
            )
        return implied[0] if implied else OrderType.MARKET
    type_ = _ORDER_TYPES.get(value.strip().lower()) if isinstance(value, str) else None
    if type_ is None:
        raise invalid_value("order_type", value, hint)
    unused = [_PRICE_OF_TYPE[one] for one in implied if one is not type_]
    if unused:
        raise RefusedAlertError(
            f"{unused[0]} contradicts order_type {value!r}", field=unused[0], hint="leave out one of the two"
        )
    return type_


def _parse_entry_price(payload: Mapping[str, Json], type_: OrderType) -> Decimal | None:
    field = _PRICE_OF_TYPE.get(type_)
    if field is None:
        return None
    price = parse_price(payload, field)
    if price is None:
        raise missing_field(field, f"a {type_.value.lower()} entry needs a price above 0, such as 21500.25")
    return price


def _parse_action(payload: Mapping[str, Json]) -> AlertAction:
    value = read_field(payload, "action", _ACTION_HINT)
    action = _ACTIONS.get(value.strip().lower()) if isinstance(value, str) else None
    if action is None:
        raise invalid_value("action", value, _ACTION_HINT)
    return action


def _parse_symbol(payload: Mapping[str, Json]) -> Symbol:
    hint = 'expected a known symbol, such as "MNQ", "MNQ1!", "MNQZ2026" or "CME_MINI:MNQ1!"'
    value = read_field(payload, "symbol", hint)
    if value is None:
        raise missing_field("symbol", hint)
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or not value.isascii():
        raise invalid_value("symbol", value, hint)
    try:
        return parse_symbol(value)
    except ValueError as error:
        wrong, _, expected = str(error).rpartition(", expected ")
        if wrong:  # it names what is wrong with a known root
            raise RefusedAlertError(wrong, field="symbol", hint=f"expected {expected}") from None
        raise invalid_value("symbol", value, hint) from None


def _parse_quantity(payload: Mapping[str, Json]) -> int:
    hint = f"expected a whole number of contracts from 1 to {MAX_CONTRACTS}, such as 1"
    value = read_field(payload, "quantity", hint)
    if value is None:
        raise missing_field("quantity", hint)
    return parse_whole_number("quantity", value, MAX_CONTRACTS, hint)
