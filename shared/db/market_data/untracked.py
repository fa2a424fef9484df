"""Whether a root is tracked, in words for a person who wants to trade it."""

from collections.abc import Sequence

from sqlalchemy import Connection

from shared.db.market_data import contracts
from shared.domain.market_data.tracking import describe_untracked, sort_roots


def explain(connection: Connection, root: str, wanted: Sequence[str]) -> str | None:
    """Return that a root is not tracked, and how to track it; None if it is, or while nothing is tracked.

    `wanted` are the roots of the setting contracts, whose order is kept.
    """
    tracked = sort_roots(contracts.list_tracked_roots(connection), wanted)
    if not tracked or root in tracked:
        return None
    return describe_untracked(root, tracked)
