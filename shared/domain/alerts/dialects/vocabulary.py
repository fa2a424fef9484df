"""The words of one kind of sender as a table, and how a body in these words becomes a payload in our own."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from shared.domain.alerts.dialects.action_words import OUR_CHANGES, OUR_EXITS, combine_actions, normalize_word
from shared.domain.alerts.dialects.contradictions import contradiction, means_the_same, plain_number
from shared.domain.alerts.field_names import FIELDS, NUMBER_FIELDS, plain_name
from shared.domain.alerts.fields import invalid_value, missing_field, parse_contracts, parse_price, parse_symbol_field
from shared.domain.alerts.market_position import is_flat
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

POSITION_OF_ENTRY = {"buy": "long", "sell": "short"}  # by our action

_SECRETS = {
    "token", "passphrase", "password", "secret", "key", "apikey", "apisecret", "authkey", "auth", "accesstoken",
    "webhooksecret", "licenseid", "licensekey",
}  # fmt: skip
_NOTHING = ("", "0", "false", "no", "none", "null", "off")
_OUR_PLAIN_NAMES = {plain_name(name): name for name in FIELDS}
_ZERO = re.compile(r"[+-]?(0+(\.0*)?|\.0*)?")


@dataclass(frozen=True, eq=False, kw_only=True)
class Vocabulary:
    """The meaning of a sender's words. Names of fields are compared without case and signs; ours are always taken.

    `refused`: a field of an entry or of a move of the stop that would make another trade, and that we cannot honour
    -> what to send instead.
    """

    fields: Mapping[str, str]  # the sender's name -> ours
    actions: Mapping[str, str]  # the sender's word -> ours
    refused_actions: Mapping[str, str] = field(default_factory=dict)  # a word -> what to send instead
    refused: Mapping[str, str] = field(default_factory=dict)
    prefixes: tuple[str, ...] = ()  # that names of the sender's may begin with, in this order
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
        self.require_honoured(body, payload)
        return payload

    def rename(self, body: Mapping[str, Json]) -> dict[str, Json]:
        """Return a body with our names and action words; nulls and secrets are left out, other fields are kept.

        Raise RefusedAlertError for an unknown action word, and for two names of one field with different values.
        """
        payload: dict[str, Json] = {}
        names: dict[str, dict[str, Json]] = {}  # our name -> the sender's names of it, and their values
        for name, value in body.items():
            if value is None or plain_name(name) in _SECRETS:
                continue
            our_name = (
                name if name in FIELDS and name not in self.fields else self._our_names.get(self._plain(name), name)
            )
            payload.setdefault(our_name, _without_secrets(value))
            names.setdefault(our_name, {})[name] = value
        for number in NUMBER_FIELDS:
            if number in payload:
                payload[number] = plain_number(payload[number])
        self._rename_action(payload, names.pop("action", {}))
        _require_one_value(payload, names)
        for required in ("action", "symbol"):
            is_said = required == "action" and ("market_position" in payload or is_flat(payload))
            if required not in payload and not is_said:
                raise missing_field(self._name_of(required), self._shown_example)
        return payload

    def require_honoured(self, body: Mapping[str, Json], payload: Mapping[str, Json]) -> None:
        """Raise RefusedAlertError for a field that we cannot honour, and for a misspelt one.

        `payload` is the renamed body: if it is an exit or a cancel, nothing else in it counts.
        """
        if is_exit_or_cancel(payload):
            return
        for name, value in body.items():
            plain = self._plain(name)
            if plain in self._hints and is_set(value):
                wrong = f"{show_name(name)} {quote_value(value)} cannot be honoured"
                raise RefusedAlertError(wrong, field=show_name(name), hint=self._hints[plain])
            if plain in self._known:
                continue
            near = next((other for other in self._known if is_one_edit_away(plain, other)), None)
            if near is not None:
                hint = f"did you mean {self._known[near]}? Rename or remove the field"
                raise RefusedAlertError(f"unknown field {quote_value(name)}", field=show_name(name), hint=hint)

    def _plain(self, name: str) -> str:
        """Return a name without case and signs, and without a prefix unless it is known with it."""
        plain = plain_name(name)
        for prefix in self.prefixes:
            if plain in self._known:
                break
            plain = plain.removeprefix(prefix)
        return plain

    @cached_property
    def _our_names(self) -> dict[str, str]:
        return _OUR_PLAIN_NAMES | {plain_name(name): our_name for name, our_name in self.fields.items()}

    @cached_property
    def _hints(self) -> dict[str, str]:
        return {plain_name(name): hint for name, hint in self.refused.items()}

    @cached_property
    def _known(self) -> dict[str, str]:
        return {plain_name(name): name for name in (*FIELDS, *self.fields, *self.refused)}

    @property
    def _shown_example(self) -> str:
        return f"expected a message such as {self.example}"

    def _name_of(self, our_name: str) -> str:
        """Return the sender's first name of a field of ours."""
        return next((name for name, each in self.fields.items() if each == our_name), our_name)

    def _rename_action(self, payload: dict[str, Json], said: Mapping[str, Json]) -> None:
        """Set our action for the sender's word, or for its words under several names."""
        words = {name: normalize_word(value) for name, value in said.items()}
        is_one_word = len(set(words.values())) == 1
        if not said or is_flat(payload):
            change = self.actions.get(next(iter(words.values()), ""))
            if not is_one_word:
                payload.pop("action", None)
            elif change in OUR_CHANGES:
                payload["action"] = change  # a position in it does not count
            return
        if is_one_word:
            payload["action"] = self._action_of(next(iter(words.values())), payload["action"])
            return
        main_name = plain_name(self._name_of("action"))
        main = next((name for name in words if self._plain(name) == main_name), None)
        others = {self._plain(name): word for name, word in words.items() if name != main}
        action = combine_actions(None if main is None else words[main], others, self.actions)
        first = self.actions.get(words[main or next(iter(words))])
        if action is None and first in POSITION_OF_ENTRY and is_exit(payload | {"action": first}):
            action = first  # a sale of a chart that stays long, whatever else is said of its side
        if action is None:
            meanings = {name: self.actions.get(word) for name, word in words.items()}
            (one, meant), *rest = meanings.items()
            other = next((name for name, meaning in rest if meaning != meant), rest[0][0])
            raise contradiction("action", one, said[one], other, said[other])
        payload["action"] = action

    def _action_of(self, word: str, value: Json) -> str:
        if word in self.refused_actions:
            raise invalid_value("action", value, self.refused_actions[word])
        if word not in self.actions:
            hint = f"expected one of {', '.join(self.actions)}, as in {self.example}"
            raise invalid_value("action", value, hint)
        return self.actions[word]


def has_exit_word(payload: Mapping[str, Json]) -> bool:
    """Whether the action of a renamed payload is an exit."""
    action = payload.get("action")
    return isinstance(action, str) and action in OUR_EXITS


def is_exit(payload: Mapping[str, Json]) -> bool:
    """Whether a renamed payload is an exit: then nothing that a close does not use may stop it.

    A sale of a chart that stays long is one too, and a purchase of one that stays short.
    """
    if is_flat(payload) or has_exit_word(payload):
        return True
    position = payload.get("market_position")
    side = position.strip().lower() if isinstance(position, str) else None
    return (payload.get("action"), side) in (("sell", "long"), ("buy", "short"))


def is_exit_or_cancel(payload: Mapping[str, Json]) -> bool:
    """Whether a renamed payload opens and moves nothing: a field of an entry in it does not count."""
    return is_exit(payload) or payload.get("action") == "cancel"


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


def set_position(payload: dict[str, Json]) -> None:
    """Make the quantity of an entry the position that it leads to: what is held on the other side is closed first.

    Raise RefusedAlertError for an invalid quantity, and for another size of the position; without a quantity, or
    without an entry, nothing changes.
    """
    size, position = parse_contracts(payload, "quantity"), POSITION_OF_ENTRY.get(str(payload.get("action")))
    if size is None or position is None:
        return
    said = payload.get("market_position_size", size)
    if not means_the_same("market_position_size", said, size):
        raise contradiction("market_position_size", "quantity", size, "market_position_size", said)
    payload.setdefault("market_position", position)
    payload["market_position_size"] = size


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


def _require_one_value(payload: dict[str, Json], names: Mapping[str, Mapping[str, Json]]) -> None:
    """Raise RefusedAlertError for a field with two values; an exit leaves aside one that it does not need.

    It needs the size of its part: without it, it would close all.
    """
    needed = {"symbol", "market_position"}
    if not is_flat(payload):
        needed |= {"quantity", "market_position_size"}
    for our_name, values in names.items():
        first, one = next(iter(values.items()))
        for name, value in values.items():
            if means_the_same(our_name, one, value):
                continue
            if our_name in needed or not is_exit(payload):
                raise contradiction(our_name, first, one, name, value)
            payload.pop(our_name, None)


def _without_secrets(value: Json) -> Json:
    match value:
        case dict():
            return {name: _without_secrets(each) for name, each in value.items() if plain_name(name) not in _SECRETS}
        case list():
            return [_without_secrets(each) for each in value]
    return value
