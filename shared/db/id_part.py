"""The condition that finds a row by a part of its id, as people type it."""

from uuid import UUID

from sqlalchemy import Column, ColumnElement, Text, cast, func, select, union

_ID_DIGITS = 32
NEWEST_SEARCHED = 100_000  # rows whose ids are compared with an ending, which no index has


def has_id_part(column: "Column[UUID]", digits: str) -> ColumnElement[bool]:
    """Return whether an id begins with these hexadecimal digits, or is one of the newest 100,000 and ends with them.

    An index serves a beginning and a whole id.
    """
    if len(digits) == _ID_DIGITS:
        return column == UUID(digits)
    first, last = UUID(digits.ljust(_ID_DIGITS, "0")), UUID(digits.ljust(_ID_DIGITS, "f"))
    newest = select(column.label("id")).order_by(column.desc()).limit(NEWEST_SEARCHED).subquery()
    all_digits = func.replace(cast(newest.c.id, Text), "-", "")
    ending = select(newest.c.id).where(func.right(all_digits, len(digits)) == digits)
    return column.in_(union(select(column).where(column.between(first, last)), ending).scalar_subquery())
