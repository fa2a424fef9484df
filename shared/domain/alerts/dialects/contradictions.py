"""Two names of one field in a message: whether their values mean the same."""

import re
from decimal import Decimal

from shared.domain.alerts.field_names import NUMBER_FIELDS
from shared.domain.alerts.payload import Json, RefusedAlertError, quote_value, show_name
from shared.domain.market_data.symbol import Symbol, parse_symbol

_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]+)?")
_NUMERAL = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?")
_LONGEST_SYMBOL = 64


def plain_number(value: Json) -> Json:
    """Return a number that is text without its separators of thousands: 1,000.50 is 1000.50, and 0,500 is left."""
    if isinstance(value, str) and _THOUSANDS.fullmatch(value.strip()):
        return value.strip().replace(",", "")
    return value


def means_the_same(our_name: str, one: Json, other: Json) -> bool:
    """Whether two values of a field mean the same: one contract or root, one number, one position, or equal text."""
    if our_name == "symbol":
        return one == other or _is_same_symbol(str(one), str(other))
    if our_name == "market_position":
        return str(one).strip().lower() == str(other).strip().lower()
    return _comparable(our_name, one) == _comparable(our_name, other)


def contradiction(our_name: str, first: str, one: Json, second: str, other: Json) -> RefusedAlertError:
    """Return the error for two of the sender's names of a field, each with its value."""
    wrong = f"{show_name(first)} {quote_value(one)} contradicts {show_name(second)} {quote_value(other)}"
    return RefusedAlertError(wrong, field=show_name(second), hint=f"send one of the two names of {our_name}")


def _is_same_symbol(one: str, other: str) -> bool:
    symbols = _symbol_or_none(one), _symbol_or_none(other)
    if symbols[0] is None or symbols[1] is None:
        return one.strip().upper() == other.strip().upper()
    years = symbols[0].year or "", symbols[1].year or ""
    is_same_year = years[0].endswith(years[1]) or years[1].endswith(years[0])
    return (symbols[0].root, symbols[0].month) == (symbols[1].root, symbols[1].month) and is_same_year


def _symbol_or_none(text: str) -> Symbol | None:
    if len(text) > _LONGEST_SYMBOL or not text.isascii():
        return None
    try:
        return parse_symbol(text)
    except ValueError:
        return None


def _comparable(our_name: str, value: Json) -> str | Decimal:
    plain = str(plain_number(value)).strip()
    return Decimal(plain) if our_name in NUMBER_FIELDS and _NUMERAL.fullmatch(plain) else str(value)
