"""The parsers of an alert's fields: each returns the value, or refuses it with the field's name and a hint."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.domain.alerts.payload import Json, RefusedAlertError, quote_value
from shared.domain.market_data.symbol import Symbol, parse_symbol
from shared.domain.orders.order import MAX_TICKS

MAX_CONTRACTS = 9_999
CONTRACTS_HINT = f"expected a whole number of contracts from 1 to {MAX_CONTRACTS}, such as 1"
LONGEST_ID = 128
LONGEST_TEXT = 64  # of a symbol or a time
_UNIX_SECONDS_DIGITS = 11  # more are milliseconds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WHOLE = re.compile(r"[0-9]{1,9}(\.0{1,20})?")
_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,20})?")
_UNSIGNED = re.compile(r"\+?([0-9]{1,20}(?:,[0-9]{3})*(?:\.[0-9]{0,20})?|\.[0-9]{1,20})\s*%?")
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\A\s*nan\s*\Z", re.IGNORECASE)


def read_field(payload: Mapping[str, Json], field: str, hint: str) -> Json:
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
        raise invalid_value(field, value, hint)
    return value


def parse_ticks(payload: Mapping[str, Json], field: str, price_field: str) -> int | None:
    """Return a distance in ticks, None if it is absent; raise RefusedAlertError for an invalid one."""
    if field in payload and price_field in payload:
        hint = f"send {price_field} (a price) or {field} (a distance in ticks), not both"
        raise RefusedAlertError(f"{price_field} contradicts {field}", field=price_field, hint=hint)
    hint = f"expected a whole number of ticks from 1 to {MAX_TICKS} without a sign, such as 40"
    value = read_field(payload, field, hint)
    return None if value is None else parse_whole_number(field, value, MAX_TICKS, hint)


def parse_price(payload: Mapping[str, Json], field: str) -> Decimal | None:
    """Return a price, None if it is absent; raise RefusedAlertError for an invalid one."""
    hint = "expected a price above 0, such as 21500.25"
    value = read_field(payload, field, hint)
    if value is None:
        return None
    numeral = _to_numeral(value)
    if not _PRICE.fullmatch(numeral) or not Decimal(numeral):
        raise invalid_value(field, value, hint)
    return Decimal(numeral)


def parse_contracts(payload: Mapping[str, Json], field: str) -> int | None:
    """Return a number of contracts, None if it is absent; raise RefusedAlertError for an invalid one."""
    value = read_field(payload, field, CONTRACTS_HINT)
    return None if value is None else parse_whole_number(field, value, MAX_CONTRACTS, CONTRACTS_HINT)


def parse_symbol_field(payload: Mapping[str, Json]) -> Symbol:
    """Return the symbol; raise RefusedAlertError for a missing or an unknown one."""
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


def parse_external_id(payload: Mapping[str, Json]) -> str | None:
    """Return the id, None if it is absent; raise RefusedAlertError for an invalid one."""
    hint = f"expected text or a whole number of 1 to {LONGEST_ID} characters, unique among the alerts of this hook"
    value = read_field(payload, "id", hint)
    if value is None:
        return None
    if isinstance(value, Decimal) or len(str(value)) > LONGEST_ID:
        raise invalid_value("id", value, hint)
    return str(value)


def parse_time(payload: Mapping[str, Json], field: str) -> str | None:
    """Return a time as it was sent, None if it is absent; raise RefusedAlertError for an invalid one."""
    hint = f'expected a time as text or a whole number, such as "{{{{{field}}}}}", or leave it out'
    value = read_field(payload, field, hint)
    if value is None:
        return None
    if isinstance(value, Decimal) or len(str(value)) > LONGEST_TEXT:
        raise invalid_value(field, value, hint)
    return str(value)


def read_instant(text: str) -> datetime | None:
    """Return the instant that a time names: ISO 8601 (without an offset in UTC), or Unix seconds or milliseconds.

    None for any other text: then the age of the alert is not known.
    """
    numeral = text.strip()
    try:
        if numeral.isascii() and numeral.isdigit():
            milliseconds = int(numeral) if len(numeral) > _UNIX_SECONDS_DIGITS else 1000 * int(numeral)
            return _EPOCH + timedelta(milliseconds=milliseconds)
        at = datetime.fromisoformat(numeral)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def parse_whole_number(field: str, value: Json, most: int, hint: str) -> int:
    """Return a whole number from 1 to `most`; raise RefusedAlertError with the hint for any other value."""
    numeral = _to_numeral(value)
    if not _WHOLE.fullmatch(numeral) or not 1 <= Decimal(numeral) <= most:
        raise invalid_value(field, value, hint)
    return int(Decimal(numeral))


def read_unsigned(value: Json) -> Decimal | None:
    """Return a number that is not negative, with or without a percent sign; None for any other value."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    found = _UNSIGNED.fullmatch(f"{value:f}" if isinstance(value, Decimal) else str(value).strip())
    return None if found is None else Decimal(found[1].replace(",", ""))


def _to_numeral(value: Json) -> str:
    """Return the digits of a number or of text, without an exponent; text that is no number comes back stripped."""
    return f"{value:f}" if isinstance(value, Decimal) else str(value).strip()


def missing_field(field: str, hint: str) -> RefusedAlertError:
    """Return the error for a field that must be there."""
    return RefusedAlertError(f"{field} is missing", field=field, hint=hint)


def invalid_value(field: str, value: Json, hint: str) -> RefusedAlertError:
    """Return the error for a value that the field cannot have."""
    return RefusedAlertError(f"invalid {field} {quote_value(value)}", field=field, hint=hint)
