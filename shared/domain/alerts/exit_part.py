"""Refuses an exit in part whose part cannot be read: it would close all."""

import re
from collections.abc import Mapping
from decimal import Decimal

from shared.domain.alerts.fields import CONTRACTS_HINT, invalid_value
from shared.domain.alerts.payload import Json, RefusedAlertError, quote_value, show_name

_HINT = f"{CONTRACTS_HINT}, to close a part, or leave it out to close all"
_PERCENT_HINT = "send the contracts to close as quantity, or leave percent out to close all"
_ALL = 100
_OTHER_NAMES = {"qty", "contracts", "size"}  # without case and signs
_PERCENT_NAMES = {"percent", "percentage", "closepercent", "closepercentage", "quantitypercent", "qtypercent"}
_NUMERAL = re.compile(r"\+?([0-9]{1,20}(?:,[0-9]{3})*(?:\.[0-9]{0,20})?|\.[0-9]{1,20})\s*(%?)")
_FRACTION = re.compile(r"[1-9][0-9]{0,3}\s*/\s*[1-9][0-9]{0,3}")


def refuse_unreadable_part(payload: Mapping[str, Json]) -> None:
    """Raise RefusedAlertError for an exit with a part that is no number of contracts, or under a name that is not read.

    `quantity` has been read in vain: zero, a negative number, NaN, text or nothing in it says no part.
    """
    if _is_fraction(payload.get("quantity")):
        raise invalid_value("quantity", payload["quantity"], _HINT)
    for name, value in payload.items():
        plain = re.sub(r"[^a-z]", "", name.lower())
        if plain in _PERCENT_NAMES and _number_in(value) is not None and _number_in(value) != _ALL:
            raise invalid_value(show_name(name), value, _PERCENT_HINT)
        is_named = name != "quantity" and plain in {*_OTHER_NAMES, "quantity"}
        if is_named and (_is_fraction(value) or _number_in(value)):
            hint = "send quantity to close a part, or leave it out to close all"
            raise RefusedAlertError(f"unknown field {quote_value(name)} in an exit", field=show_name(name), hint=hint)


def _is_fraction(value: Json) -> bool:
    """Whether a value is a part that is not a whole number of contracts: 0.5, 1.5, 50% or 1/2, but not 100%."""
    if isinstance(value, str) and _FRACTION.fullmatch(value.strip()):
        return True
    number = _number_in(value)
    if number is None or number == 0:
        return False
    is_percent = isinstance(value, str) and value.strip().endswith("%")
    return number != _ALL if is_percent else number != number.to_integral_value()


def _number_in(value: Json) -> Decimal | None:
    """Return a number that is not negative, with or without a percent sign; None for any other value."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    found = _NUMERAL.fullmatch(f"{value:f}" if isinstance(value, Decimal) else str(value).strip())
    return None if found is None else Decimal(found[1].replace(",", ""))
