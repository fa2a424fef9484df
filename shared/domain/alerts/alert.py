"""What an alert says: a webhook's body, judged field by field, kept as it was meant or refused with the hint."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Self

from shared.domain.alerts.payload import Json, RefusedAlertError, read_payload, shown
from shared.domain.market_data.contract import Root, root_of_symbol
from shared.domain.orders.order import MOST_TICKS

MOST_CONTRACTS = 9_999
LONGEST_ID = 128
_LONGEST_WORD = 64  # of a symbol or a time

_WORDS = ("action", "symbol", "id", "time", "timenow")
_NUMBERS = ("quantity", "stop_loss_ticks", "take_profit_ticks", "stop_loss", "take_profit")
_WHOLE = re.compile(r"[0-9]{1,9}(\.0{1,20})?")
_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,20})?")
_UNFILLED = re.compile(r"\{\{|\}\}|\A\s*nan\s*\Z", re.IGNORECASE)


class AlertAction(StrEnum):
    """What an alert asks for."""

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
    """A webhook's wish. Only a CLOSE may lack a `quantity` and then means everything; ticks are unsigned distances."""

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

    def asks_the_same(self, other: Self) -> bool:
        """Whether both are one wish; when each was sent, and fields we do not know, may differ."""
        return replace(self, alert_time=None, extras={}) == replace(other, alert_time=None, extras={})


def parse_alert(raw: bytes) -> Alert:
    """Return what the body of a webhook asks for; any bytes give an Alert or raise RefusedAlertError."""
    return parse_payload(read_payload(raw))


def parse_payload(payload: Mapping[str, Json]) -> Alert:
    """Return what the payload asks for; nothing is ever filled in, so a missing field that matters is refused."""
    action = _action(payload)
    symbol, root = _symbol(payload)
    times = [_time(payload, "timenow"), _time(payload, "time")]
    return Alert(
        action=action,
        root=root,
        symbol=symbol,
        quantity=_quantity(payload, action),
        external_id=_external_id(payload),
        stop_loss_ticks=_ticks(payload, "stop_loss_ticks", "stop_loss"),
        take_profit_ticks=_ticks(payload, "take_profit_ticks", "take_profit"),
        stop_loss=_price(payload, "stop_loss"),
        take_profit=_price(payload, "take_profit"),
        alert_time=next(filter(None, times), None),
        extras={name: value for name, value in payload.items() if name not in _WORDS + _NUMBERS},
    )


def _given(payload: Mapping[str, Json], field: str, hint: str) -> Json:
    """Return what stands in a field, None where it is absent; null and unfilled placeholders are refused."""
    if field not in payload:
        return None
    value = payload[field]
    if isinstance(value, str) and _UNFILLED.search(value):
        raise RefusedAlertError(
            f"{field} is {shown(value)}, a placeholder that nobody filled in", field=field, hint=hint
        )
    if value is None or isinstance(value, bool | list | dict) or (isinstance(value, str) and not value.strip()):
        raise _not_usable(field, value, hint)
    return value


def _action(payload: Mapping[str, Json]) -> AlertAction:
    hint = 'send "buy", "sell" or "close"'
    value = _given(payload, "action", hint)
    if value is None:
        raise _missing("action", hint)
    action = _ACTIONS.get(value.strip().lower()) if isinstance(value, str) else None
    if action is None:
        raise _not_usable("action", value, hint)
    return action


def _symbol(payload: Mapping[str, Json]) -> tuple[str, Root]:
    hint = 'send a symbol we know, such as "MNQ", "MNQ1!", "MNQZ2026" or "CME_MINI:MNQ1!"'
    value = _given(payload, "symbol", hint)
    if value is None:
        raise _missing("symbol", hint)
    if not isinstance(value, str) or len(value) > _LONGEST_WORD or not value.isascii():
        raise _not_usable("symbol", value, hint)
    try:
        return value, root_of_symbol(value)
    except ValueError:
        raise _not_usable("symbol", value, hint) from None


def _quantity(payload: Mapping[str, Json], action: AlertAction) -> int | None:
    hint = f"send a whole number of contracts from 1 to {MOST_CONTRACTS}, such as 1"
    value = _given(payload, "quantity", hint)
    if value is None and action.is_entry:
        raise _missing("quantity", hint)
    return None if value is None else _whole("quantity", value, MOST_CONTRACTS, hint)


def _ticks(payload: Mapping[str, Json], field: str, rival: str) -> int | None:
    if field in payload and rival in payload:
        hint = f"send {rival} (a price) or {field} (a distance in ticks), not both"
        raise RefusedAlertError(f"{rival} contradicts {field}", field=rival, hint=hint)
    hint = f"send a whole number of ticks from 1 to {MOST_TICKS} without a sign, such as 40"
    value = _given(payload, field, hint)
    return None if value is None else _whole(field, value, MOST_TICKS, hint)


def _price(payload: Mapping[str, Json], field: str) -> Decimal | None:
    hint = "send a price above 0, such as 21500.25"
    value = _given(payload, field, hint)
    if value is None:
        return None
    numeral = _numeral(value)
    if not _PRICE.fullmatch(numeral) or not Decimal(numeral):
        raise _not_usable(field, value, hint)
    return Decimal(numeral)


def _external_id(payload: Mapping[str, Json]) -> str | None:
    hint = f"send a text or a whole number of 1 to {LONGEST_ID} characters that no other alert of this hook has"
    value = _given(payload, "id", hint)
    if value is None:
        return None
    if isinstance(value, Decimal) or len(str(value)) > LONGEST_ID:
        raise _not_usable("id", value, hint)
    return str(value)


def _time(payload: Mapping[str, Json], field: str) -> str | None:
    hint = f'send the time as a text or a whole number, such as "{{{{{field}}}}}", or leave it out'
    value = _given(payload, field, hint)
    if value is None:
        return None
    if isinstance(value, Decimal) or len(str(value)) > _LONGEST_WORD:
        raise _not_usable(field, value, hint)
    return str(value)


def _whole(field: str, value: Json, most: int, hint: str) -> int:
    numeral = _numeral(value)
    if not _WHOLE.fullmatch(numeral) or not 1 <= Decimal(numeral) <= most:
        raise _not_usable(field, value, hint)
    return int(Decimal(numeral))


def _numeral(value: Json) -> str:
    """Return the digits of a number or of a text, without exponent; what is no number gives no numeral."""
    return f"{value:f}" if isinstance(value, Decimal) else str(value).strip()


def _missing(field: str, hint: str) -> RefusedAlertError:
    return RefusedAlertError(f"{field} is missing", field=field, hint=hint)


def _not_usable(field: str, value: Json, hint: str) -> RefusedAlertError:
    return RefusedAlertError(f"{field} is {shown(value)}", field=field, hint=hint)
