"""The words of one kind of sender as a table, and how a body in these words becomes a payload in our own."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from shared.domain.alerts.field_names import FIELDS, NUMBER_FIELDS, plain_name
from shared.domain.alerts.fields import invalid_value, missing_field, parse_contracts, parse_price, parse_symbol_field
from shared.domain.alerts.misspelling import is_one_edit_away
from shared.domain.alerts.payload import (
    BODY,
    Json,
    RefusedAlertError,
    quote_value,
    read_leading_object,
    read_text,
    show_name,
)

# Action words that mean the same with every sender. A word is compared in lower case, with _ for a blank or a hyphen.
ENTRIES = {"buy": "buy", "long": "buy", "sell": "sell", "short": "sell"}
EXITS = {
    "close": "close", "exit": "close", "flatten": "close", "flat": "close", "close_all": "close", "exit_all": "close",
    "close_position": "close", "close_long": "close_long", "exit_long": "close_long", "closelong": "close_long",
    "exitlong": "close_long", "long_exit": "close_long", "sell_to_close": "close_long", "close_short": "close_short",
    "exit_short": "close_short", "closeshort": "close_short", "exitshort": "close_short", "short_exit": "close_short",
    "buy_to_cover": "close_short", "buy_to_close": "close_short",
}  # fmt: skip
POSITION_OF_ENTRY = {"buy": "long", "sell": "short"}  # by our action
CHANGES = {
    "cancel": "cancel", "cancel_all": "cancel", "cancel_orders": "cancel", "move_stop": "move_stop",
    "breakeven": "breakeven", "move_to_breakeven": "breakeven", "trail": "trail", "test": "test",
}  # fmt: skip

_OUR_EXITS = {*EXITS.values()}
_SECRETS = {
    "token", "passphrase", "password", "secret", "key", "apikey", "apisecret", "authkey", "auth", "accesstoken",
    "webhooksecret", "licenseid", "licensekey",
}  # fmt: skip
_NOTHING = ("", "0", "false", "no", "none", "null", "off")
_OUR_PLAIN_NAMES = {plain_name(name): name for name in FIELDS}
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
_NUMERAL = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?")
_ZERO = re.compile(r"[+-]?(0+(\.0*)?|\.0*)?")


@dataclass(frozen=True, eq=False, kw_only=True)
class Vocabulary:
    """What a sender's words mean. Names of fields are compared without case, _ and other signs; ours are always taken.

    `refused`: a field of an entry that would make another trade, and that we cannot honour -> what to send instead.
    """

    fields: Mapping[str, str]  # the sender's name -> ours
    actions: Mapping[str, str]  # the sender's word -> ours
    refused_actions: Mapping[str, str] = field(default_factory=dict)  # a word -> what to send instead
    refused: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""  # that names of the sender's may begin with
    example: str  # a right message, for hints

    def read_json(self, raw: bytes) -> dict[str, Json]:
        """Return the object that a body begins with; raise RefusedAlertError, with a right message in its hint."""
        text = read_text(raw)
        try:
            return read_leading_object(text)
        except RefusedAlertError as error:
            if error.field != BODY:
                raise
            raise RefusedAlertError(error.wrong, field=BODY, hint=self._shown_example) from None

    def translate(self, body: Mapping[str, Json]) -> dict[str, Json]:
        """Return a body in our words; raise RefusedAlertError for one that we cannot read or honour."""
        payload = self.rename(body)
        if not is_exit(payload):
            self.require_honoured(body)
        return payload

    def rename(self, body: Mapping[str, Json]) -> dict[str, Json]:
        """Return a body with our names and action words; nulls and secrets are left out, other fields are kept.

        Raise RefusedAlertError for an unknown action word, and for two names of one field with different values.
        """
        payload: dict[str, Json] = {}
        names: dict[str, str] = {}  # our name -> the sender's first one
        contradictions: dict[str, RefusedAlertError] = {}
        for name, value in body.items():
            plain = plain_name(name)
            if value is None or plain in _SECRETS:
                continue
            is_ours = name in FIELDS and name not in self.fields
            our_name = name if is_ours else self._our_names.get(plain.removeprefix(self.prefix), name)
            if our_name in payload and _comparable(our_name, payload[our_name]) != _comparable(our_name, value):
                first = f"{names[our_name]} {quote_value(payload[our_name])}"
                wrong = f"{first} contradicts {show_name(name)} {quote_value(value)}"
                hint = f"send one of the two names of {our_name}"
                contradictions[our_name] = RefusedAlertError(wrong, field=show_name(name), hint=hint)
            payload.setdefault(our_name, _without_secrets(value))
            names.setdefault(our_name, show_name(name))
        for number in NUMBER_FIELDS:
            if number in payload:
                payload[number] = plain_number(payload[number])
        self._rename_action(payload)
        _require_one_value(payload, contradictions)
        for required in ("action", "symbol"):
            if required not in payload and not (required == "action" and "market_position" in payload):
                raise missing_field(self._name_of(required), self._shown_example)
        return payload

    def require_honoured(self, body: Mapping[str, Json]) -> None:
        """Raise RefusedAlertError for a field of an entry that we cannot honour, and for a misspelt one."""
        for name, value in body.items():
            plain = plain_name(name).removeprefix(self.prefix)
            if plain in self._hints and is_set(value):
                wrong = f"{show_name(name)} {quote_value(value)} cannot be honoured"
                raise RefusedAlertError(wrong, field=show_name(name), hint=self._hints[plain])
            if plain in self._declared or plain in _OUR_PLAIN_NAMES:
                continue
            near = next((other for other in self._declared if is_one_edit_away(plain, other)), None)
            if near is not None:
                hint = f"did you mean {self._declared[near]}? Rename or remove the field"
                raise RefusedAlertError(f"unknown field {quote_value(name)}", field=show_name(name), hint=hint)

    @cached_property
    def _our_names(self) -> dict[str, str]:
        return _OUR_PLAIN_NAMES | {plain_name(name): our_name for name, our_name in self.fields.items()}

    @cached_property
    def _hints(self) -> dict[str, str]:
        return {plain_name(name): hint for name, hint in self.refused.items()}

    @cached_property
    def _declared(self) -> dict[str, str]:
        return {plain_name(name): name for name in (*self.fields, *self.refused)}

    @property
    def _shown_example(self) -> str:
        return f"expected a message such as {self.example}"

    def _name_of(self, our_name: str) -> str:
        """Return the sender's first name of a field of ours."""
        return next((name for name, each in self.fields.items() if each == our_name), our_name)

    def _rename_action(self, payload: dict[str, Json]) -> None:
        if "action" not in payload or is_flat(payload):
            return
        value = payload["action"]
        word = re.sub(r"[\s-]+", "_", value.strip().lower()) if isinstance(value, str) else ""
        if word in self.refused_actions:
            raise invalid_value("action", value, self.refused_actions[word])
        if word not in self.actions:
            hint = f"expected one of {', '.join(self.actions)}, as in {self.example}"
            raise invalid_value("action", value, hint)
        payload["action"] = self.actions[word]


def is_flat(payload: Mapping[str, Json]) -> bool:
    """Whether the sender wants no position, whatever its action word."""
    return _position(payload) == "flat"


def has_exit_word(payload: Mapping[str, Json]) -> bool:
    """Whether the action of a renamed payload is an exit."""
    action = payload.get("action")
    return isinstance(action, str) and action in _OUR_EXITS


def is_exit(payload: Mapping[str, Json]) -> bool:
    """Whether a renamed payload is an exit: then nothing that a close does not use may stop it.

    A sale of a chart that stays long is one too, and a purchase of one that stays short.
    """
    if is_flat(payload) or has_exit_word(payload):
        return True
    return [payload.get("action"), _position(payload)] in (["sell", "long"], ["buy", "short"])


def is_set(value: Json) -> bool:
    """Whether a field says anything: not zero, false, "none", empty or blank. NaN and placeholders do."""
    if isinstance(value, str):
        return value.strip().lower() not in _NOTHING and not _ZERO.fullmatch(value.strip())
    return bool(value)


def drop_unset(payload: dict[str, Json], names: Iterable[str]) -> None:
    """Remove the fields that say nothing, where the sender writes 0 for none."""
    for name in names:
        if name in payload and not is_set(payload[name]):
            del payload[name]


def plain_number(value: Json) -> Json:
    """Return a number that is text without its separators of thousands: 1,000.50 is 1000.50."""
    if isinstance(value, str) and _THOUSANDS.fullmatch(value.strip()):
        return value.strip().replace(",", "")
    return value


def set_position(payload: dict[str, Json]) -> None:
    """Make the quantity of an entry the position that it leads to: what is held on the other side is closed first.

    Raise RefusedAlertError for an invalid quantity; without one, or without an entry, nothing changes.
    """
    size, position = parse_contracts(payload, "quantity"), POSITION_OF_ENTRY.get(str(payload.get("action")))
    if size is not None and position is not None:
        payload |= {"market_position": position, "market_position_size": size}


def to_ticks(payload: Mapping[str, Json], value: Json, field: str) -> int:
    """Return a distance in prices as ticks of the symbol; raise RefusedAlertError if it is no multiple of one."""
    root = parse_symbol_field(payload).root
    distance = parse_price({field: plain_number(value)}, field) or Decimal(0)
    ticks = distance / root.tick_size
    if not ticks or ticks != ticks.to_integral_value():
        raise invalid_value(
            field, value, f"expected a distance in prices, a multiple of the tick size {root.tick_size} of {root.name}"
        )
    return int(ticks)


def _require_one_value(payload: dict[str, Json], contradictions: Mapping[str, RefusedAlertError]) -> None:
    """Raise the error of a field with two values; an exit leaves aside one that it does not need.

    It needs the size of its part: without it, it would close all.
    """
    needed = {"action", "symbol", "market_position"}
    if not is_flat(payload):
        needed |= {"quantity", "market_position_size"}
    for our_name, error in contradictions.items():
        if our_name in needed or not is_exit(payload):
            raise error
        del payload[our_name]


def _comparable(our_name: str, value: Json) -> str | Decimal:
    """Return a value as it is compared with another one of the same field: a symbol without its exchange, a number."""
    if our_name == "symbol":
        return str(value).rpartition(":")[2].strip().upper()
    plain = str(plain_number(value)).strip()
    return Decimal(plain) if our_name in NUMBER_FIELDS and _NUMERAL.fullmatch(plain) else str(value)


def _position(payload: Mapping[str, Json]) -> str | None:
    position = payload.get("market_position")
    return position.strip().lower() if isinstance(position, str) else None


def _without_secrets(value: Json) -> Json:
    match value:
        case dict():
            return {name: _without_secrets(each) for name, each in value.items() if plain_name(name) not in _SECRETS}
        case list():
            return [_without_secrets(each) for each in value]
    return value
