"""Alerts as text: pairs of key=value on lines or between semicolons or commas, or an HTML form's body."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote_plus

from shared.domain.alerts.dialects.action_words import CHANGES, ENTRIES, EXITS
from shared.domain.alerts.dialects.dialect import Dialect
from shared.domain.alerts.dialects.vocabulary import POSITION_OF_ENTRY, Vocabulary, is_exit, is_set, set_position
from shared.domain.alerts.entry_order import parse_order_type
from shared.domain.alerts.field_names import plain_name
from shared.domain.alerts.fields import invalid_value
from shared.domain.alerts.payload import BODY, Json, RefusedAlertError, quote_value, read_text, show_name
from shared.domain.orders.order import OrderType

EXAMPLE = "action=buy;symbol=MNQ;quantity=1;stop_loss_ticks=40"
_WINDOW = "leave it out: an alert trades when it comes, so send it only at the times at which it may trade"
_STOP_LIMIT = "send stop_loss, the price of a stop order: a stop-limit order may not fill"
WORDS = Vocabulary(
    fields={
        "action": "action",
        "side": "action",
        "symbol": "symbol",
        "ticker": "symbol",
        "instrument": "symbol",
        "quantity": "quantity",
        "qty": "quantity",
        "contracts": "quantity",
        "order_type": "order_type",
        "limit_price": "limit_price",
        "stop_price": "stop_price",
        "stop_loss": "stop_loss",  # a price
        "sl": "stop_loss",
        "take_profit": "take_profit",  # a price
        "tp": "take_profit",
        "sl_ticks": "stop_loss_ticks",
        "tp_ticks": "take_profit_ticks",
        "percent": "percent",  # of the position, in an exit
        "command": "command",  # see COMMANDS
        "flatten_first": "flatten_first",  # an entry with it is a position
        "cancel_after": "cancel_after",  # of an entry that rests
    },  # key, password and token are left out; account, tif and others are kept
    actions={**ENTRIES, **EXITS, **CHANGES},
    refused={
        "require_market_position": "it cannot be checked: send market_position with market_position_size",
        "max_positions": "set the limit of contracts on the account",
        "strategy_id": "an order belongs to no template: leave it out",
        "delay": "leave it out: an alert trades at once",
        "rate_limit": "leave it out: every alert trades",
        "start_time": _WINDOW,
        "end_time": _WINDOW,
        "closing_only_after": _WINDOW,
        "stop_loss_limit": _STOP_LIMIT,
        "stop_loss_stop": _STOP_LIMIT,
    },
    example=EXAMPLE,
)
COMMANDS = {  # CrossTrade's and NinjaTrader's command -> our action, or None where `action` is the side
    "place": None,
    "flatplace": None,  # be long or short by the quantity, as place with flatten_first
    "closeposition": "close",
    "flatten": "close",
    "cancel": "cancel",
    "cancelorders": "cancel",
    "cancelallorders": "cancel",
}
_REFUSED_COMMANDS = {
    "reverseposition": "it does nothing while flat, which cannot be checked: send FLATPLACE to be long or short by qty",
}
_ORDER_TYPES = {"stopmarket": "stop", "stop_market": "stop"}
_SEPARATOR = re.compile(r"[;\r\n]+|,(?=\s*[\"']?[A-Za-z_][\w.]*[\"']?\s*=)")  # a comma within a number is none
_FORM = re.compile(r"[^\s;=&]+=[^\s;&]*(&[^\s;=&]+=[^\s;&]*)*&?")


def _read(raw: bytes) -> dict[str, Json]:
    body = dict(_read_pairs(read_text(raw).strip()))
    command = plain_name(str(body.get("command", "")))
    if command:
        _require_command(command, body)
    payload = WORDS.rename(body)
    payload.pop("command", None)
    is_position = is_set(payload.pop("flatten_first", None)) or command == "flatplace"
    if is_exit(payload):
        return payload
    WORDS.require_honoured(body, payload)
    order_type = str(payload.get("order_type", "")).strip().lower()
    if order_type in _ORDER_TYPES:
        payload["order_type"] = _ORDER_TYPES[order_type]
    _drop_zero_prices(payload)
    if is_set(payload.get("cancel_after")) and payload.get("action") in POSITION_OF_ENTRY:
        _refuse_timeout(payload)
    if is_position:
        set_position(payload)
    return payload


def _refuse_timeout(payload: Mapping[str, Json]) -> None:
    """Raise RefusedAlertError for an entry that rests and would have to be cancelled later."""
    if parse_order_type(payload) is not OrderType.MARKET:
        hint = "leave it out, and send command=CANCELORDERS to cancel the order"
        raise RefusedAlertError(
            f"cancel_after {quote_value(payload['cancel_after'])} cannot be honoured", field="cancel_after", hint=hint
        )


def _read_pairs(text: str) -> Iterator[tuple[str, Json]]:
    """Yield the pairs of a text; raise RefusedAlertError for a part that is none, and for a repeated key."""
    is_form = bool(_FORM.fullmatch(text)) and ("&" in text or "%" in text)
    parts = text.split("&") if is_form else _SEPARATOR.split(text)
    seen: set[str] = set()
    for number, part in enumerate(filter(str.strip, parts), 1):
        name, equals, value = part.partition("=")
        if is_form:
            name, value = unquote_plus(name), unquote_plus(value)
        name, value = _without_quotes(name).lower(), _without_quotes(value)
        if not equals or not name:
            hint = f"expected pairs such as {EXAMPLE}"
            wrong = f"part {number}, {len(part.strip())} characters, is no key=value"  # its text may be a password
            raise RefusedAlertError(wrong, field=BODY, hint=hint)
        if "\x00" in name + value:
            raise RefusedAlertError("the body holds a NUL character", field=BODY, hint="leave the character out")
        if name in seen:
            raise RefusedAlertError(
                f"{quote_value(name)} is given more than once", field=show_name(name), hint="give it once"
            )
        seen.add(name)
        yield name, value


def _require_command(command: str, body: dict[str, Json]) -> None:
    """Set the action of a command; raise RefusedAlertError for one that is not in the table."""
    if command in _REFUSED_COMMANDS:
        raise invalid_value("command", body["command"], _REFUSED_COMMANDS[command])
    if command not in COMMANDS:
        hint = f"expected one of {', '.join(COMMANDS)}, or no command and an action"
        raise invalid_value("command", body["command"], hint)
    action = COMMANDS[command]
    if action is not None:
        for name in ("action", "side"):
            body.pop(name, None)
        body["action"] = action


def _drop_zero_prices(payload: dict[str, Json]) -> None:
    """Remove the price that the type of the order does not use, where it is 0 or empty, as NinjaTrader writes it."""
    for name in ("limit_price", "stop_price"):
        if payload.get(name) in {"", "0"}:
            del payload[name]


def _without_quotes(text: str) -> str:
    plain = text.strip()
    is_quoted = len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "\"'"
    return plain[1:-1].strip() if is_quoted else plain


DIALECT = Dialect(name="text", summary="key=value pairs, or the body of an HTML form", read=_read)
