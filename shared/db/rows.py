"""Whether a statement finds rows."""

from typing import Any

from sqlalchemy import Connection, Select


def has_rows(connection: Connection, statement: Select[Any]) -> bool:
    """Whether the statement finds at least one row; it reads no more than that."""
    return connection.execute(statement.limit(1)).first() is not None
