"""The name of a row that has ended, once its name is used again: names are unique, and what has ended is kept."""

from datetime import datetime

from sqlalchemy import ColumnElement, Text, func, literal


def ended_name(name: str, ended: ColumnElement[str], at: ColumnElement[datetime | None]) -> ColumnElement[str]:
    """Return the name with how and when its row ended, such as `chart (removed 2026-11-29 01:34:59.123)`, in UTC."""
    text = func.to_char(func.timezone("UTC", at), "YYYY-MM-DD HH24:MI:SS.MS")
    return func.concat(literal(name, Text), " (", ended, " ", text, ")", type_=Text)
