"""What an alert says: a webhook's body, judged field by field, kept as it was meant or refused with the cure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from shared.domain.contract import Root, root_of_symbol
from shared.errors import InvalidAlertError

Json: TypeAlias = "str | int | Decimal | bool | list[Json] | dict[str, Json] | None"

BODY = "body"  # the field of an error that lies in no single field
MOST_CONTRACTS = 9_999
MOST_TICKS = 999_999
LONGEST_ID = 128
_LONGEST_WORD = 64  # of a symbol or a time
_DEEPEST = 8

_WORDS = ("action", "symbol", "id", "time", "timenow")
_NUMBERS = ("quantity", "stop_loss_ticks", "take_profit_ticks", "stop_loss", "take_profit")
_LITERAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?")
_WHOLE = re.compile(r"[0-9]{1,9}(\.0{1,20})?")
_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,20})?")
_BARE_PLACEHOLDER = re.compile(r'"(?P<field>\w{1,64})"\s*:\s*(?P<placeholder>\{\{[^{}"\s]{0,64}\}\})', re.ASCII)
_UNFILLED = re.compile(r"\{\{|\}\}|\A\s*nan\s*\Z", re.IGNORECASE)


class Action(StrEnum):
    """What an alert asks for."""

    BUY = "BUY"
    SELL = "SELL"
    CLOSE = "CLOSE"

    @property
    def is_entry(self) -> bool:
        """Whether it may open or enlarge a position; a CLOSE never does."""
        return self is not Action.CLOSE


_ACTIONS = {
    "buy": Action.BUY,
    "long": Action.BUY,
    "sell": Action.SELL,
    "short": Action.SELL,
    "close": Action.CLOSE,
    "flatten": Action.CLOSE,
    "exit": Action.CLOSE,
}


class RefusedAlertError(InvalidAlertError):
    """An alert was refused: `wrong` is what was found, with the value, and `cure` what to send instead."""

    def __init__(self, wrong: str, *, field: str, cure: str) -> None:
        super().__init__(f"{wrong}: {cure}", field)
        self.wrong = wrong
        self.cure = cure


@dataclass(frozen=True, slots=True)
class Alert:
    """A webhook's wish. Only a CLOSE may lack a `quantity` and then means everything; ticks are unsigned distances."""

    action: Action
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


def parse_alert(raw: bytes) -> Alert:
    """Return what the body of a webhook asks for; any bytes give an Alert or raise RefusedAlertError."""
    return understand(read_payload(raw))


def read_payload(raw: bytes) -> dict[str, Json]:
    """Return the body's JSON object, which PostgreSQL's jsonb can hold as it stands, or raise RefusedAlertError.

    Refused are repeated names, NUL and lone surrogates, numbers that are none or are too long, and deep nesting.
    """
    try:
        document = json.loads(
            _text(raw), parse_int=_Number, parse_float=_Number, parse_constant=_Number, object_pairs_hook=_Pairs
        )
    except json.JSONDecodeError as error:
        _refuse_bare_placeholder(error.doc)
        where = f"line {error.lineno}, column {error.colno}"
        raise _broken(f"the body is not JSON ({error.msg} at {where})") from None
    except RecursionError:
        raise _broken("the body is nested too deeply") from None
    if not isinstance(document, _Pairs):
        raise _broken(f"the body is {_shown(document)}, not an object")
    return _object(document, BODY, 0)


def understand(payload: Mapping[str, Json]) -> Alert:
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


class _Number(str):
    """A number as it was written, not yet judged."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _Pairs:
    """An object as it was written, repeated names and all."""

    items: list[tuple[str, "_Scanned"]]


_Scanned: TypeAlias = _Number | str | bool | _Pairs | list["_Scanned"] | None


def _text(raw: bytes) -> str:
    if not raw.strip():
        raise _broken("the body is empty")
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise RefusedAlertError("the body begins with a byte order mark", field=BODY, cure="send UTF-8 without it")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        wrong = f"the body is not UTF-8 (byte 0x{raw[error.start]:02x} at offset {error.start})"
        raise RefusedAlertError(wrong, field=BODY, cure="send it as UTF-8") from None


def _refuse_bare_placeholder(text: str) -> None:
    """Name the field when what breaks the JSON is a placeholder without quotes, such as `"quantity": {{plot_0}}`."""
    bare = _BARE_PLACEHOLDER.search(text)
    if bare:
        wrong = f"{bare['field']} is {bare['placeholder']}, a placeholder that nobody filled in"
        raise RefusedAlertError(
            wrong, field=bare["field"], cure="use a placeholder that this kind of alert has, or a value"
        )


def _broken(wrong: str) -> RefusedAlertError:
    cure = 'send one JSON object, such as {"action": "buy", "symbol": "MNQ", "quantity": 1, "stop_loss_ticks": 40}'
    return RefusedAlertError(wrong, field=BODY, cure=cure)


def _plain(value: _Scanned, field: str, depth: int) -> Json:
    """Return a scanned value as plain data; `field` is the top-level name it stands under, for the refusal."""
    if depth > _DEEPEST:
        raise RefusedAlertError(
            f"{field} is nested more than {_DEEPEST} deep", field=field, cure="send a flat object of names and values"
        )
    match value:
        case _Number():
            return _number(value, field)
        case str():
            return _storable(value, field)
        case _Pairs():
            return _object(value, field, depth)
        case list():
            return [_plain(item, field, depth + 1) for item in value]
        case _:
            return value


def _object(pairs: _Pairs, field: str, depth: int) -> dict[str, Json]:
    plain: dict[str, Json] = {}
    for name, value in pairs.items:
        within = repr(name)[1:-1][:_LONGEST_WORD] if depth == 0 else field
        if _storable(name, within) in plain:
            raise RefusedAlertError(f"{_shown(name)} is given more than once", field=within, cure="give it once")
        plain[name] = _plain(value, within, depth + 1)
    return plain


def _number(literal: str, field: str) -> int | Decimal:
    if not _LITERAL.fullmatch(literal):
        shown = literal if len(literal) <= _LONGEST_WORD else f"a number of {len(literal)} characters"
        cure = "send a plain number of at most 20 digits"
        raise RefusedAlertError(f"{field} is {shown}", field=field, cure=cure)
    return int(literal) if literal.lstrip("-").isdigit() else Decimal(literal)


def _storable(text: str, field: str) -> str:
    if "\x00" in text:
        raise RefusedAlertError(f"{field} holds a NUL character", field=field, cure="leave the character out")
    if any("\ud800" <= character <= "\udfff" for character in text):
        cure = "send whole characters: a \\ud83d is only one half of one"
        raise RefusedAlertError(f"{field} holds half of a surrogate pair", field=field, cure=cure)
    return text


def _given(payload: Mapping[str, Json], field: str, cure: str) -> Json:
    """Return what stands in a field, None where it is absent; null and unfilled placeholders are refused."""
    if field not in payload:
        return None
    value = payload[field]
    if isinstance(value, str) and _UNFILLED.search(value):
        raise RefusedAlertError(
            f"{field} is {_shown(value)}, a placeholder that nobody filled in", field=field, cure=cure
        )
    if value is None or isinstance(value, bool | list | dict) or (isinstance(value, str) and not value.strip()):
        raise _not_usable(field, value, cure)
    return value


def _action(payload: Mapping[str, Json]) -> Action:
    cure = 'send "buy", "sell" or "close"'
    value = _given(payload, "action", cure)
    if value is None:
        raise _missing("action", cure)
    action = _ACTIONS.get(value.strip().lower()) if isinstance(value, str) else None
    if action is None:
        raise _not_usable("action", value, cure)
    return action


def _symbol(payload: Mapping[str, Json]) -> tuple[str, Root]:
    cure = 'send a symbol we know, such as "MNQ", "MNQ1!", "MNQZ2026" or "CME_MINI:MNQ1!"'
    value = _given(payload, "symbol", cure)
    if value is None:
        raise _missing("symbol", cure)
    if not isinstance(value, str) or len(value) > _LONGEST_WORD or not value.isascii():
        raise _not_usable("symbol", value, cure)
    try:
        return value, root_of_symbol(value)
    except ValueError:
        raise _not_usable("symbol", value, cure) from None


def _quantity(payload: Mapping[str, Json], action: Action) -> int | None:
    cure = f"send a whole number of contracts from 1 to {MOST_CONTRACTS}, such as 1"
    value = _given(payload, "quantity", cure)
    if value is None and action.is_entry:
        raise _missing("quantity", cure)
    return None if value is None else _whole("quantity", value, MOST_CONTRACTS, cure)


def _ticks(payload: Mapping[str, Json], field: str, rival: str) -> int | None:
    if field in payload and rival in payload:
        cure = f"send {rival} (a price) or {field} (a distance in ticks), not both"
        raise RefusedAlertError(f"{rival} contradicts {field}", field=rival, cure=cure)
    cure = f"send a whole number of ticks from 1 to {MOST_TICKS} without a sign, such as 40"
    value = _given(payload, field, cure)
    return None if value is None else _whole(field, value, MOST_TICKS, cure)


def _price(payload: Mapping[str, Json], field: str) -> Decimal | None:
    cure = "send a price above 0, such as 21500.25"
    value = _given(payload, field, cure)
    if value is None:
        return None
    numeral = _numeral(value)
    if not _PRICE.fullmatch(numeral) or not Decimal(numeral):
        raise _not_usable(field, value, cure)
    return Decimal(numeral)


def _external_id(payload: Mapping[str, Json]) -> str | None:
    cure = f"send a text or a whole number of 1 to {LONGEST_ID} characters that no other alert of this hook has"
    value = _given(payload, "id", cure)
    if value is None:
        return None
    if isinstance(value, Decimal) or len(str(value)) > LONGEST_ID:
        raise _not_usable("id", value, cure)
    return str(value)


def _time(payload: Mapping[str, Json], field: str) -> str | None:
    cure = f'send the time as a text or a whole number, such as "{{{{{field}}}}}", or leave it out'
    value = _given(payload, field, cure)
    if value is None:
        return None
    if isinstance(value, Decimal) or len(str(value)) > _LONGEST_WORD:
        raise _not_usable(field, value, cure)
    return str(value)


def _whole(field: str, value: Json, most: int, cure: str) -> int:
    numeral = _numeral(value)
    if not _WHOLE.fullmatch(numeral) or not 1 <= Decimal(numeral) <= most:
        raise _not_usable(field, value, cure)
    return int(Decimal(numeral))


def _numeral(value: Json) -> str:
    """Return the digits of a number or of a text, without exponent; what is no number gives no numeral."""
    return f"{value:f}" if isinstance(value, Decimal) else str(value).strip()


def _missing(field: str, cure: str) -> RefusedAlertError:
    return RefusedAlertError(f"{field} is missing", field=field, cure=cure)


def _not_usable(field: str, value: Json, cure: str) -> RefusedAlertError:
    return RefusedAlertError(f"{field} is {_shown(value)}", field=field, cure=cure)


def _shown(value: object) -> str:
    """Return a value as a refusal may quote it: short, printable, never a whole body."""
    match value:
        case _Number():
            return "a number"
        case str():
            return repr(value) if len(value) <= _LONGEST_WORD else f"a text of {len(value)} characters"
        case bool() | None:
            return json.dumps(value)
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return str(value)[:_LONGEST_WORD]
