"""The condition that finds a row by a part of its id, as people type it."""

from uuid import UUID

from sqlalchemy import Column, ColumnElement, Text, cast, func, or_

_ID_DIGITS = 32


def has_id_part(column: "Column[UUID]", digits: str) -> ColumnElement[bool]:
    """Return whether an id begins or ends with these hexadecimal digits; a whole id is found by the index."""
    if len(digits) == _ID_DIGITS:
        return column == UUID(digits)
    first, last = UUID(digits.ljust(_ID_DIGITS, "0")), UUID(digits.ljust(_ID_DIGITS, "f"))
    all_digits = func.replace(cast(column, Text), "-", "")
    return or_(column.between(first, last), func.right(all_digits, len(digits)) == digits)
