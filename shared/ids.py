"""Identifiers that sort by the time of their creation (UUID version 7, RFC 9562)."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a new identifier; within one process each sorts after the one before."""
    return uuid7()
