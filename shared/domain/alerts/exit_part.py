"""Refuses an exit in part whose part cannot be read: it would close all."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from shared.domain.alerts.field_names import plain_name
from shared.domain.alerts.fields import CONTRACTS_HINT, invalid_value, read_unsigned
from shared.domain.alerts.misspelling import is_one_edit_away
from shared.domain.alerts.payload import Json, RefusedAlertError, quote_value, show_name

_HINT = f"{CONTRACTS_HINT}, to close a part, or leave it out to close all"
_NAME_HINT = "send quantity to close a part, or leave it out to close all"
_PERCENT_HINT = "send the contracts to close as quantity, or leave percent out to close all"
_REST_HINT = "send market_position with market_position_size, or quantity to close a part, or neither to close all"
_ALL = 100
_MORE_THAN_HELD = 1_000
# Names are compared by their `_letters`.
_SIZES = ("quantity", "qty", "contracts", "size")  # also at the end of a name, and misspelt
_OTHER_SIZES = re.compile(r"(?:order|exit|close|trade)?(?:contract|lots?|units|shares|amount)")
_SIZES_OF_ELSE = re.compile(
    r"(?:strategy)?(?:account|bar|box|brick|max|min(?!i(?!mum))|prev|tick).*"
)  # tick_size, max_contracts
_RESTS = re.compile(r"(?:strategy)?(?:market)?positionsize")  # what the chart still holds, negative for short
_PERCENTS = re.compile(r"(?:order|exit|close|position|quantity|qty|size|contracts)?(?:percent(?:age)?|pct)")
_LAST_WORD = re.compile(r"([A-Z]?[a-z]{1,20}|[A-Z]{1,20})[^A-Za-z]{0,20}\Z")
_FRACTION = re.compile(r"[1-9][0-9]{0,3}\s*/\s*[1-9][0-9]{0,3}")
_DECIMAL_COMMA = re.compile(
    r"(?:[0-9]{1,3}(?:\.[0-9]{3}){0,3},[0-9]{1,2}|[0-9]{1,9},[0-9]{1,2}|0{1,3},[0-9]{1,20})\s*%?"
)
_WORDED = re.compile(
    r"half|[0-9.,/]{0,20}[1-9][0-9.,/]{0,20}\s*(?:x|(?:lot|contract|ct|unit|share|mini|micro)s?|of [0-9]{1,4})",
    re.IGNORECASE,
)
_EXPONENT = re.compile(r"\+?[1-9][0-9]{0,3}(?:\.[0-9]{1,20})?e[+-]?[0-9]{1,3}", re.IGNORECASE)
_PERCENT_WORD = re.compile(r"\s*(?:percent|pct)\Z", re.IGNORECASE)


def refuse_unreadable_part(payload: Mapping[str, Json]) -> None:
    """Raise RefusedAlertError for an exit with a part that is no number of contracts, or under a name that is not read.

    `quantity` has been read in vain: zero, a negative number, NaN, text or nothing in it says no part.
    """
    if _is_unreadable(payload.get("quantity")) or _is_number_of_contracts(payload.get("quantity")):
        raise invalid_value("quantity", payload["quantity"], _HINT)
    for name, value in payload.items():
        percent = read_unsigned(value)
        if _PERCENTS.fullmatch(_letters(name)) and (_is_unreadable(value) or percent not in {None, _ALL}):
            raise invalid_value(show_name(name), value, _PERCENT_HINT)
    for name, value in _walk({name: each for name, each in payload.items() if not _is_note(name, each)}):
        if _RESTS.fullmatch(_letters(name)):
            if _says_part(str(value).strip().lstrip("-\u2212")):
                raise invalid_value(show_name(name), value, _REST_HINT)
        elif _is_size(name) and _says_part(value):
            wrong = f"unknown field {quote_value(name)} in an exit"
            raise RefusedAlertError(wrong, field=show_name(name), hint=_NAME_HINT)


def _is_note(name: str, value: Json) -> bool:
    """Whether a field is the object that TradersPost leaves to the sender: nothing in it is a part."""
    return plain_name(name) == "extras" and isinstance(value, dict)


def _walk(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Yield the values in a payload but for `quantity`, those in its objects and lists under dotted names."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _walk(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner, path)
    elif path != "quantity":
        yield path, value


def _is_size(name: str) -> bool:
    """Whether a name means a size, of a part or of all: order_qty, exitSize, quantiy; not tick_size, nor side."""
    letters, last = _letters(name), _LAST_WORD.search(name)
    if _SIZES_OF_ELSE.fullmatch(letters):
        return False
    if letters.endswith(_SIZES) or _OTHER_SIZES.fullmatch(letters):
        return True
    words = {letters} | ({last[1].lower()} if last else set())
    return any(is_one_edit_away(word, size) for word in words - {"side"} for size in _SIZES)


def _letters(name: str) -> str:
    """Return the plain name without its digits: qty1 is a qty."""
    return re.sub(r"[0-9]", "", plain_name(name))


def _says_part(value: Json) -> bool:
    return _is_unreadable(value) or bool(read_unsigned(value))


def _is_number_of_contracts(value: Json) -> bool:
    """Whether a size that was read in vain is a part: +1, 1., 1e0; not 100 %, nor more than anyone may hold."""
    text = str(value).strip()
    number = Decimal(text) if _EXPONENT.fullmatch(text) else read_unsigned(value)
    return number is not None and 0 < number < _MORE_THAN_HELD and not text.endswith("%")


def _is_unreadable(value: Json) -> bool:
    """Whether a value is a part but no whole number of contracts: 0.5, "0,5", 50%, 1/2, half, 1 lot; but not 100%."""
    if isinstance(value, dict | list):
        return any(_says_part(inner) for _, inner in _walk(value))
    text = _PERCENT_WORD.sub("%", value.strip()) if isinstance(value, str) else ""
    if any(part.fullmatch(text) for part in (_FRACTION, _DECIMAL_COMMA)):
        return not re.fullmatch(r"[0.,%\s]+", text)
    number = read_unsigned(text or value)
    if number is None:
        return bool(_WORDED.fullmatch(text))
    return bool(number) and (number != _ALL if text.endswith("%") else number != number.to_integral_value())
