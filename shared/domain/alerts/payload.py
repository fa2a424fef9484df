"""The body of a webhook as plain JSON data that the database can store, before it is parsed as an alert."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from shared.errors import InvalidAlertError

Json: TypeAlias = "str | int | Decimal | bool | list[Json] | dict[str, Json] | None"

BODY = "body"  # the field of an error that concerns no single field
_LONGEST_SHOWN = 64  # characters of a value, in an error message
_DEEPEST = 8

_UTF8_MARK = b"\xef\xbb\xbf"
_PART_OF_A_MESSAGE = re.compile(r'[{}\[\]"=]')
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LITERAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?")
_BARE_PLACEHOLDER = re.compile(r'"(?P<field>\w{1,64})"\s*:\s*(?P<placeholder>\{\{[^{}"\s]{0,64}\}\})', re.ASCII)


class RefusedAlertError(InvalidAlertError):
    """An alert was refused: `wrong` names the fault and the value, `hint` what to send instead."""

    def __init__(self, wrong: str, *, field: str, hint: str) -> None:
        super().__init__(f"{wrong}: {hint}", field)
        self.wrong = wrong
        self.hint = hint


def read_payload(raw: bytes) -> dict[str, Json]:
    """Return the body's JSON object, in a form that PostgreSQL's jsonb can store; raise RefusedAlertError.

    Refused are repeated names, NUL characters, lone surrogates, and deep nesting. NaN, infinities and long numbers
    become text: a field that needs a number refuses it, and one that is not used stops nothing.
    """
    text = _decode(raw)
    with _refusing_broken_json():
        return _to_payload(_DECODER.decode(text))


def read_text(raw: bytes) -> str:
    """Return the body as text, without a byte order mark of UTF-8; raise RefusedAlertError for another encoding."""
    return _require_storable(_decode(raw.removeprefix(_UTF8_MARK)), BODY)


def read_leading_object(text: str) -> dict[str, Json]:
    """Return the JSON object that a text begins with, as `read_payload` does; a remark after it is ignored.

    Raise RefusedAlertError for what follows it and may belong to a message: another object, or a field.
    """
    plain = text.strip()
    with _refusing_broken_json():
        document, end = _DECODER.raw_decode(plain)
        if _PART_OF_A_MESSAGE.search(plain, end):
            raise _invalid_body("the body holds more than one JSON object")
        return _to_payload(document)


def quote_value(value: object) -> str:
    """Return a value as an error message may quote it: short, printable, never a whole body."""
    match value:
        case _Number():
            return "(a number)"
        case str():
            return repr(value) if len(value) <= _LONGEST_SHOWN else f"(text of {len(value)} characters)"
        case bool() | None:
            return json.dumps(value)
        case list():
            return "(a list)"
        case dict():
            return "(an object)"
        case _:
            return str(value)[:_LONGEST_SHOWN]


def show_name(name: str) -> str:
    """Return the name of a field as a message may show it: short, on one line, without control characters."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name[:_LONGEST_SHOWN])


def has_plain_numbers(value: object) -> bool:
    """Whether no number in a payload is unreadable: then jsonb can store the body that it was read from."""
    if isinstance(value, dict):
        return all(map(has_plain_numbers, value.values()))
    if isinstance(value, list):
        return all(map(has_plain_numbers, value))
    return not isinstance(value, UnreadableNumber)


class UnreadableNumber(str):
    """A number that is not plain, as it was written: NaN, Infinity, or one of more than 20 digits."""

    __slots__ = ()


class _Number(str):
    """A number as it was written, not yet checked."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _Pairs:
    """An object as it was written, repeated names included."""

    items: list[tuple[str, "_Scanned"]]


_Scanned: TypeAlias = _Number | str | bool | _Pairs | list["_Scanned"] | None


_DECODER = json.JSONDecoder(parse_int=_Number, parse_float=_Number, parse_constant=_Number, object_pairs_hook=_Pairs)


@contextmanager
def _refusing_broken_json() -> Iterator[None]:
    """Raise RefusedAlertError for what a JSON decoder raises."""
    try:
        yield
    except json.JSONDecodeError as error:
        _refuse_bare_placeholder(error.doc)
        where = f"line {error.lineno}, column {error.colno}"
        raise _invalid_body(f"the body is not JSON ({error.msg} at {where})") from None
    except RecursionError:
        raise _invalid_body("the body is nested too deeply") from None


def _to_payload(document: "_Scanned") -> dict[str, Json]:
    if not isinstance(document, _Pairs):
        raise _invalid_body(f"invalid body {quote_value(document)}")
    return _to_object(document, BODY, 0)


def _decode(raw: bytes) -> str:
    if not raw.strip():
        raise _invalid_body("the body is empty")
    if raw.startswith((_UTF8_MARK, b"\xff\xfe", b"\xfe\xff")):
        raise RefusedAlertError("the body begins with a byte order mark", field=BODY, hint="send UTF-8 without it")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        wrong = f"the body is not UTF-8 (byte 0x{raw[error.start]:02x} at offset {error.start})"
        raise RefusedAlertError(wrong, field=BODY, hint="send it as UTF-8") from None


def _refuse_bare_placeholder(text: str) -> None:
    """Raise RefusedAlertError with the field if an unquoted placeholder broke the JSON: `"quantity": {{plot_0}}`."""
    bare = _BARE_PLACEHOLDER.search(text)
    if bare:
        wrong = f"invalid {bare['field']} {bare['placeholder']}, an unfilled placeholder"
        raise RefusedAlertError(
            wrong, field=bare["field"], hint="use a placeholder that this kind of alert has, or a value"
        )


def _invalid_body(wrong: str) -> RefusedAlertError:
    hint = 'expected one JSON object, such as {"action": "buy", "symbol": "MNQ", "quantity": 1, "stop_loss_ticks": 40}'
    return RefusedAlertError(wrong, field=BODY, hint=hint)


def _to_plain(value: _Scanned, field: str, depth: int) -> Json:
    """Return a scanned value as plain data; `field` is the top-level name that contains it, for the error message."""
    if depth > _DEEPEST:
        raise RefusedAlertError(
            f"{field} is nested more than {_DEEPEST} deep",
            field=field,
            hint="expected a flat object of names and values",
        )
    match value:
        case _Number():
            return _to_number(value)
        case str():
            return _require_storable(value, field)
        case _Pairs():
            return _to_object(value, field, depth)
        case list():
            return [_to_plain(item, field, depth + 1) for item in value]
        case _:
            return value


def _to_object(pairs: _Pairs, field: str, depth: int) -> dict[str, Json]:
    plain: dict[str, Json] = {}
    for name, value in pairs.items:
        within = repr(name)[1:-1][:_LONGEST_SHOWN] if depth == 0 else field
        if _require_storable(name, within) in plain:
            raise RefusedAlertError(f"{quote_value(name)} is given more than once", field=within, hint="give it once")
        plain[name] = _to_plain(value, within, depth + 1)
    return plain


def _to_number(literal: str) -> int | Decimal | UnreadableNumber:
    if not _LITERAL.fullmatch(literal):
        return UnreadableNumber(literal)
    return int(literal) if literal.lstrip("-").isdigit() else Decimal(literal)


def _require_storable(text: str, field: str) -> str:
    if "\x00" in text:
        raise RefusedAlertError(f"{field} holds a NUL character", field=field, hint="leave the character out")
    if not text.isascii() and _SURROGATE.search(text):
        hint = "send whole characters: a \\ud83d is only one half of one"
        raise RefusedAlertError(f"{field} holds half of a surrogate pair", field=field, hint=hint)
    return text
