"""Positions that the alerts of a hook opened on a follower account, beside that of the hook's own account."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class CopiedPosition:
    """A position of a follower, which its hook has opened; quantities are signed, above zero when long."""

    hook: str
    account: str
    contract_id: str
    quantity: int
    ratio: Decimal
    own_quantity: int


# The fill that opened a position leads by its order and its signal to the alert.
_LARGER = text("""
    SELECT hook.name, account.name, copy.contract_id, copy.quantity, follower.ratio, own.quantity
    FROM hook_follower AS follower
    JOIN hook ON hook.id = follower.hook_id AND hook.removed_at IS NULL
    JOIN account ON account.id = follower.account_id
    JOIN LATERAL (
        SELECT contract_id, opened_by_fill_id, updated_at,
               CASE direction WHEN 'SHORT' THEN -quantity ELSE quantity END AS quantity
        FROM position WHERE account_id = follower.account_id AND direction <> 'FLAT'
    ) AS copy ON true
    JOIN fill ON fill.account_id = follower.account_id AND fill.venue_fill_id = copy.opened_by_fill_id
    JOIN orders ON orders.account_id = fill.account_id AND orders.venue_order_id = fill.venue_order_id
    JOIN signal ON signal.id = orders.signal_id
    JOIN alert ON alert.id = signal.alert_id AND alert.hook_id = hook.id
    CROSS JOIN LATERAL (
        SELECT COALESCE(max(CASE direction WHEN 'SHORT' THEN -quantity ELSE quantity END), 0) AS quantity,
               max(updated_at) AS updated_at
        FROM position WHERE account_id = hook.account_id AND contract_id = copy.contract_id
    ) AS own
    WHERE follower.unfollowed_at IS NULL AND hook.settings ->> 'size' IS DISTINCT FROM 'risk'
      AND abs(copy.quantity) > own.quantity * sign(copy.quantity) * follower.ratio
      AND GREATEST(copy.updated_at, own.updated_at) < now() - :since
    ORDER BY hook.name, account.name
""")


def list_larger(connection: Connection, since: timedelta) -> list[CopiedPosition]:
    """Return the copies that hold more than their share of what the hook's own account holds, and have for a while.

    A size by risk has no share: each account's own stop makes it.
    """
    return [CopiedPosition(*row) for row in connection.execute(_LARGER, {"since": since})]
