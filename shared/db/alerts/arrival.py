"""The arrival of alerts beside what they caused: entries still to be made, orders requested later, later changes."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Connection, Uuid, and_, cast, func, or_, select

from shared.db.alerts.alerts import StoredAlert
from shared.db.tables.alerts import alert, hook, hook_follower, signal
from shared.db.tables.ledger import job
from shared.db.tables.orders import orders
from shared.domain.alerts.alert import AlertAction

_ENTRY_KINDS = ("BUY", "SELL", "TARGET")


def awaits_entry(connection: Connection, stored: StoredAlert, account_id: int) -> bool:
    """Whether an entry alert that came before this one, for the same account and symbol, has yet to be handled.

    The root of an alert is stored as its hook trades it, so other hooks count too.
    """
    followed = select(hook_follower.c.hook_id).where(hook_follower.c.account_id == account_id)
    hook_ids = select(hook.c.id).where(hook.c.account_id == account_id).union_all(followed)
    is_handled = and_(job.c.name == "alerts.handle_alert", alert.c.hook_id.in_(hook_ids))
    is_followed = and_(
        job.c.name == "alerts.handle_follower_alert", job.c.arguments["account_id"].as_integer() == account_id
    )
    statement = (
        select(alert.c.id)
        .join(job, alert.c.id == cast(job.c.arguments["alert_id"].astext, Uuid))
        .where(
            job.c.state.in_(("queued", "running")),
            or_(job.c.expires_at.is_(None), job.c.expires_at > func.now()),
            or_(is_handled, is_followed),
            alert.c.root == stored.root,
            alert.c.action.in_(_ENTRY_KINDS),
            alert.c.id < stored.id,
        )
    )
    return connection.execute(statement.limit(1)).first() is not None


def list_later_orders(connection: Connection, stored: StoredAlert, order_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the orders that were requested after an alert came; one of an alert counts from its arrival."""
    statement = (
        select(orders.c.id)
        .outerjoin(signal, signal.c.id == orders.c.signal_id)
        .where(
            orders.c.id.in_(order_ids),
            func.coalesce(signal.c.alert_id > stored.id, orders.c.created_at > stored.received_at),
        )
    )
    return set(connection.execute(statement).scalars())


def is_undone(connection: Connection, stored: StoredAlert, account_id: int, actions: Sequence[AlertAction]) -> bool:
    """Whether an alert of the same hook and symbol with one of these actions, which came later, was acted on before."""
    statement = (
        select(signal.c.id)
        .join(alert, alert.c.id == signal.c.alert_id)
        .where(
            alert.c.hook_id == stored.hook_id,
            alert.c.root == stored.root,
            alert.c.id > stored.id,
            signal.c.account_id == account_id,
            signal.c.action.in_([action.value for action in actions]),
            signal.c.verdict == "accepted",
        )
    )
    return connection.execute(statement.limit(1)).first() is not None
