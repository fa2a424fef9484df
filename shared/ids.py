"""Makes identifiers that sort by the time they were made (UUID version 7, RFC 9562)."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a fresh identifier; those of one process never sort backwards."""
    return uuid7()
