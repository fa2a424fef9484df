"""How many connections Postgres allows, and how many a stack needs."""

from typing import Final

from sqlalchemy import Connection, text

# A slot has one at rest and two while it works. The other programs have about 20, and commands come on top.
_PER_SLOT: Final = 2
_OTHERS: Final = 30
_LIMIT = text("""
    SELECT current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
           - coalesce(current_setting('reserved_connections', true)::integer, 0)
""")


def read_connection_limit(connection: Connection) -> int:
    """Return how many connections the server allows to all roles but its superusers."""
    limit: int = connection.execute(_LIMIT).scalar_one()
    return limit


def count_needed_connections(slots: int) -> int:
    """Return how many connections a stack with so many slots may have at once."""
    return _OTHERS + _PER_SLOT * slots
