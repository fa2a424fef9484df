"""The limits of one order, of every account and the followers of every hook, in one read."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, and_, func, or_, select

from shared.db.tables.accounts import account
from shared.db.tables.alerts import hook_follower
from shared.domain.alerts.order_limits import OrderLimits

RECEIVER_CHANNEL = "receiver_cache"  # on it the receivers hear that what they keep in memory has changed
_RULE = "max_quantity"
# Only the accounts with a limit of their own, or that follow a hook.
ORDER_LIMITS = (
    select(
        account.c.id,
        account.c.rule_changes[_RULE].astext.label("limit"),
        hook_follower.c.hook_id,
        hook_follower.c.ratio,
    )
    .outerjoin(hook_follower, and_(hook_follower.c.account_id == account.c.id, hook_follower.c.unfollowed_at.is_(None)))
    .where(or_(account.c.rule_changes.has_key(_RULE), hook_follower.c.hook_id.is_not(None)))
    .order_by(account.c.id)
)


def limits_of(rows: Iterable[Row[Any]], default: int) -> OrderLimits:
    """Return the limits in the rows of ORDER_LIMITS; `default` is that of an account without one of its own."""
    changed: dict[int, int] = {}
    followers: dict[UUID, dict[int, Decimal]] = defaultdict(dict)
    for row in rows:
        if row.limit is not None and row.limit.isdecimal():
            changed[row.id] = int(row.limit)
        if row.hook_id is not None:
            followers[row.hook_id][row.id] = row.ratio
    return OrderLimits(default, changed, dict(followers))


def notify_receivers(connection: Connection) -> None:
    """Let the receivers read the limits again once this transaction is committed."""
    connection.execute(select(func.pg_notify(RECEIVER_CHANNEL, "")))
