"""Whether a root is tracked, in words for a person who wants to trade it."""

from collections.abc import Sequence

from sqlalchemy import Connection

from shared.db.market_data import contracts
from shared.domain.market_data.tracking import describe_untracked


def explain(connection: Connection, root: str, wanted: Sequence[str]) -> str | None:
    """Return that a root is not tracked, and how to track it; None if it is, or while nothing is tracked.

    `wanted` are the roots of the setting contracts, whose order is kept.
    """
    tracked = sorted(contracts.list_tracked_roots(connection))
    if not tracked or root in tracked:
        return None
    ordered = [one for one in wanted if one in tracked]
    return describe_untracked(root, [*ordered, *(one for one in tracked if one not in ordered)])
