"""An alert: the body of a webhook, parsed field by field, or refused with a hint."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Self

from shared.domain.alerts.payload import Json, RefusedAlertError, quote_value, read_payload
from shared.domain.market_data.contract import Root, root_of_symbol
from shared.domain.orders.order import MAX_TICKS

MAX_CONTRACTS = 9_999
LONGEST_ID = 128
_LONGEST_TEXT = 64  # of a symbol or a time

_TEXT_FIELDS = ("action", "symbol", "id", "time", "timenow")
_NUMBER_FIELDS = ("quantity", "stop_loss_ticks", "take_profit_ticks", "stop_loss", "take_profit")
_WHOLE = re.compile(r"[0-9]{1,9}(\.0{1,20})?")
_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,20})?")
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\A\s*nan\s*\Z", re.IGNORECASE)


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


@dataclass(frozen=True, slots=True)
class Alert:
    """The request of a webhook; ticks are unsigned distances.

    `quantity` is None only for a CLOSE, which then closes the whole position.
    """

    action: AlertAction
    root: Root
    symbol: str  # as it was sent
    quantity: int | None
    external_id: str | None
    stop_loss_ticks: int | None
    take_profit_ticks: int | None
    stop_loss: Decimal | None
    take_profit: Decimal | None
    alert_time: str | None  # `timenow`, else `time`, as it was sent
    extras: Mapping[str, Json]

    def is_same_request(self, other: Self) -> bool:
        """Whether both are the same request; `alert_time` and `extras` may differ."""
        return replace(self, alert_time=None, extras={}) == replace(other, alert_time=None, extras={})


def parse_alert(raw: bytes) -> Alert:
    """Return the alert in the body of a webhook; raise RefusedAlertError for a body that holds none."""
    return parse_payload(read_payload(raw))


def parse_payload(payload: Mapping[str, Json]) -> Alert:
    """Return the alert in a payload; raise RefusedAlertError for a missing or invalid field: none has a default."""
    action = _parse_action(payload)
    symbol, root = _parse_symbol(payload)
    times = [_parse_time(payload, "timenow"), _parse_time(payload, "time")]
    return Alert(
        action=action,
        root=root,
        symbol=symbol,
        quantity=_parse_quantity(payload, action),
        external_id=_parse_external_id(payload),
        stop_loss_ticks=_parse_ticks(payload, "stop_loss_ticks", "stop_loss"),
        take_profit_ticks=_parse_ticks(payload, "take_profit_ticks", "take_profit"),
        stop_loss=_parse_price(payload, "stop_loss"),
        take_profit=_parse_price(payload, "take_profit"),
        alert_time=next(filter(None, times), None),
        extras={name: value for name, value in payload.items() if name not in _TEXT_FIELDS + _NUMBER_FIELDS},
    )


def _read_field(payload: Mapping[str, Json], field: str, hint: str) -> Json:
    """Return the value of a field, None if it is absent.

    Raise RefusedAlertError for an unfilled placeholder, for null, true, false, a list or an object, and for blank text.
    """
    if field not in payload:
        return None
    value = payload[field]
    if isinstance(value, str) and _PLACEHOLDER.search(value):
        wrong = f"invalid {field} {quote_value(value)}, an unfilled placeholder"
        raise RefusedAlertError(wrong, field=field, hint=hint)
    if value is None or isinstance(value, bool | list | dict) or (isinstance(value, str) and not value.strip()):
        raise _invalid_value(field, value, hint)
    return value


def _parse_action(payload: Mapping[str, Json]) -> AlertAction:
    hint = 'expected "buy", "sell" or "close"'
    value = _read_field(payload, "action", hint)
    if value is None:
        raise _missing_field("action", hint)
    action = _ACTIONS.get(value.strip().lower()) if isinstance(value, str) else None
    if action is None:
        raise _invalid_value("action", value, hint)
    return action


def _parse_symbol(payload: Mapping[str, Json]) -> tuple[str, Root]:
    hint = 'expected a known symbol, such as "MNQ", "MNQ1!", "MNQZ2026" or "CME_MINI:MNQ1!"'
    value = _read_field(payload, "symbol", hint)
    if value is None:
        raise _missing_field("symbol", hint)
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not value.isascii():
        raise _invalid_value("symbol", value, hint)
    try:
        return value, root_of_symbol(value)
    except ValueError:
        raise _invalid_value("symbol", value, hint) from None


def _parse_quantity(payload: Mapping[str, Json], action: AlertAction) -> int | None:
    hint = f"expected a whole number of contracts from 1 to {MAX_CONTRACTS}, such as 1"
    value = _read_field(payload, "quantity", hint)
    if value is None and action.is_entry:
        raise _missing_field("quantity", hint)
    return None if value is None else _parse_whole_number("quantity", value, MAX_CONTRACTS, hint)


def _parse_ticks(payload: Mapping[str, Json], field: str, price_field: str) -> int | None:
    if field in payload and price_field in payload:
        hint = f"send {price_field} (a price) or {field} (a distance in ticks), not both"
        raise RefusedAlertError(f"{price_field} contradicts {field}", field=price_field, hint=hint)
    hint = f"expected a whole number of ticks from 1 to {MAX_TICKS} without a sign, such as 40"
    value = _read_field(payload, field, hint)
    return None if value is None else _parse_whole_number(field, value, MAX_TICKS, hint)


def _parse_price(payload: Mapping[str, Json], field: str) -> Decimal | None:
    hint = "expected a price above 0, such as 21500.25"
    value = _read_field(payload, field, hint)
    if value is None:
        return None
    numeral = _to_numeral(value)
    if not _PRICE.fullmatch(numeral) or not Decimal(numeral):
        raise _invalid_value(field, value, hint)
    return Decimal(numeral)


def _parse_external_id(payload: Mapping[str, Json]) -> str | None:
    hint = f"expected text or a whole number of 1 to {LONGEST_ID} characters, unique among the alerts of this hook"
    value = _read_field(payload, "id", hint)
    if value is None:
        return None
    if isinstance(value, Decimal) or len(str(value)) > LONGEST_ID:
        raise _invalid_value("id", value, hint)
    return str(value)


def _parse_time(payload: Mapping[str, Json], field: str) -> str | None:
    hint = f'expected a time as text or a whole number, such as "{{{{{field}}}}}", or leave it out'
    value = _read_field(payload, field, hint)
    if value is None:
        return None
    if isinstance(value, Decimal) or len(str(value)) > _LONGEST_TEXT:
        raise _invalid_value(field, value, hint)
    return str(value)


def _parse_whole_number(field: str, value: Json, most: int, hint: str) -> int:
    numeral = _to_numeral(value)
    if not _WHOLE.fullmatch(numeral) or not 1 <= Decimal(numeral) <= most:
        raise _invalid_value(field, value, hint)
    return int(Decimal(numeral))


def _to_numeral(value: Json) -> str:
    """Return the digits of a number or of text, without an exponent; text that is no number comes back stripped."""
    return f"{value:f}" if isinstance(value, Decimal) else str(value).strip()


def _missing_field(field: str, hint: str) -> RefusedAlertError:
    return RefusedAlertError(f"{field} is missing", field=field, hint=hint)


def _invalid_value(field: str, value: Json, hint: str) -> RefusedAlertError:
    return RefusedAlertError(f"invalid {field} {quote_value(value)}", field=field, hint=hint)
