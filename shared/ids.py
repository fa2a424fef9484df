"""Identifiers that sort by the time of their creation (UUID version 7, RFC 9562)."""

from datetime import datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

CLOCK_SKEW = timedelta(minutes=1)  # between the programs, which make the ids, and Postgres: subtract it from a bound
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def lowest_id_at(instant: datetime) -> UUID:
    """Return the identifier before which none was created at or after `instant`: a bound for ranges of ids."""
    return UUID(int=(instant - _EPOCH) // _MILLISECOND << 80)


def created_at(id_: UUID) -> datetime:
    """Return the instant of an identifier's creation, to the millisecond."""
    return _EPOCH + (id_.int >> 80) * _MILLISECOND


def new_id() -> UUID:
    """Return a new identifier; within one process each sorts after the one before."""
    return uuid7()
