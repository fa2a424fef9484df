"""The order of alerts: which came before another, and whether their exits have ended."""

from datetime import timedelta

from sqlalchemy import BigInteger, Connection, and_, exists, func, or_, select, true

from shared.db.alerts.alerts import StoredAlert
from shared.db.tables.alerts import alert, hook, hook_follower, signal
from shared.db.tables.ledger import job
from shared.ids import lowest_id_at

_LOOK_BACK = timedelta(minutes=10)  # no alert waits longer: an entry expires sooner, an exit runs at once
_UNFINISHED = ("queued", "running")


def is_overtaken(
    connection: Connection, stored: StoredAlert, kinds: tuple[str, ...], acted_on_by: int | None = None
) -> bool:
    """Whether an alert of the same hook and symbol came before this one although it was sent later.

    Only those of `kinds` count, and with `acted_on_by`, an account, only those that it did not refuse. Without the time
    when this alert was sent it is not known, and False.
    """
    if stored.sent_at is None:
        return False
    is_acted_on = exists().where(
        signal.c.alert_id == alert.c.id, signal.c.account_id == acted_on_by, signal.c.verdict == "accepted"
    )
    statement = select(alert.c.id).where(
        alert.c.hook_id == stored.hook_id,
        alert.c.root == stored.root,
        alert.c.verdict == "accepted",
        alert.c.id.between(lowest_id_at(stored.received_at - _LOOK_BACK), stored.id),
        alert.c.id != stored.id,
        alert.c.sent_at > stored.sent_at,
        alert.c.action.in_(kinds),
        true() if acted_on_by is None else is_acted_on,
    )
    return connection.execute(statement.limit(1)).first() is not None


def has_pending_exit(connection: Connection, stored: StoredAlert, account_id: int) -> bool:
    """Whether an exit that came before this alert, for the same account and symbol, has not been acted on yet.

    Exits and entries are on different queues, so an entry could overtake the exit that its sender meant to come first.
    The root of an alert is stored as its hook trades it, so other hooks count too.
    """
    follows = exists().where(hook_follower.c.hook_id == hook.c.id, hook_follower.c.account_id == account_id)
    own = job.alias()
    followers_job = job.alias()
    is_own_unfinished = exists().where(own.c.id == alert.c.job_id, own.c.state.in_(_UNFINISHED))
    is_followers_unfinished = exists().where(
        own.c.id == alert.c.job_id,
        followers_job.c.correlation_id == own.c.correlation_id,
        followers_job.c.name == "alerts.handle_follower_alert",
        followers_job.c.state.in_(_UNFINISHED),
        followers_job.c.arguments["account_id"].astext.cast(BigInteger) == account_id,
    )
    statement = (
        select(alert.c.id)
        .join(hook, hook.c.id == alert.c.hook_id)
        .where(
            alert.c.id.between(lowest_id_at(stored.received_at - _LOOK_BACK), stored.id),
            alert.c.id != stored.id,
            alert.c.action == "CLOSE",
            alert.c.verdict == "accepted",
            alert.c.root == stored.root,
            or_(
                and_(hook.c.account_id == account_id, is_own_unfinished),
                and_(follows, or_(is_own_unfinished, is_followers_unfinished)),
            ),
        )
    )
    return connection.execute(statement.limit(1)).first() is not None


def has_open_reduction(connection: Connection, account_id: int, contract_id: str) -> bool:
    """Whether a job that closes a part of a position has not been done yet."""
    statement = select(job.c.id).where(
        job.c.state.in_(_UNFINISHED),
        job.c.queue == "critical",
        job.c.name == "orders.reduce_position",
        job.c.arguments["account_id"].astext.cast(BigInteger) == account_id,
        job.c.arguments["contract_id"].astext == contract_id,
    )
    return connection.execute(statement.limit(1)).first() is not None


def entered_within(
    connection: Connection, stored: StoredAlert, account_id: int, contract_id: str, seconds: int
) -> bool:
    """Whether an earlier alert of the same hook has entered the contract within some seconds."""
    statement = (
        select(signal.c.id)
        .join(alert, alert.c.id == signal.c.alert_id)
        .where(
            signal.c.account_id == account_id,
            signal.c.contract_id == contract_id,
            signal.c.verdict == "accepted",
            signal.c.action.in_(("BUY", "SELL")),
            signal.c.decided_at > func.now() - timedelta(seconds=seconds),
            alert.c.hook_id == stored.hook_id,
            alert.c.id >= lowest_id_at(stored.received_at - timedelta(seconds=seconds) - _LOOK_BACK),
        )
    )
    return connection.execute(statement.limit(1)).first() is not None
