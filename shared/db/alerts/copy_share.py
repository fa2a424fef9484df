"""What an order does on the hook's own account: a copy opens no more than its share of what is opened there.

The copy itself may be flat where the other only closes: it has entered later, was denied, or was stopped out.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import Connection, Text, and_, cast, select, text

from shared.db.alerts import entry_obstacles
from shared.db.alerts.alerts import StoredAlert
from shared.db.orders import reversals
from shared.db.rows import has_rows
from shared.db.tables.alerts import alert as alert_table
from shared.db.tables.alerts import signal
from shared.db.tables.ledger import IS_UNFINISHED, job
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.copy_ratio import OwnPart
from shared.domain.orders.order import Side
from shared.ids import lowest_id_at

_BY_RISK = OwnPart(0, None)
_LOOK_BACK = timedelta(minutes=10)  # an entry expires sooner
_BESIDE_WITHIN = timedelta(seconds=10)
# What the other alerts of one side and about the same time, with none of another kind between, open on the hook's own
# account, also if that was denied there, and what they have opened on the copy: each beyond what they close.
_BESIDE = text("""
    SELECT COALESCE(sum(own.opening), 0) AS own, COALESCE(sum(copied.opening), 0) AS copied,
           count(*) FILTER (WHERE own.opening IS NULL AND job.state IN ('queued', 'running')) AS undecided
    FROM alert
    LEFT JOIN job ON job.id = alert.job_id
    LEFT JOIN LATERAL (
        SELECT CASE WHEN reversal.request_id IS NOT NULL THEN reversal.quantity_opening
                    WHEN signal.id IS NOT NULL THEN GREATEST(0, signal.quantity - GREATEST(0,
                        -COALESCE((signal.figures ->> 'held')::integer, 0) * :sign)) END AS opening
        FROM (VALUES (alert.id)) AS one (id)
        LEFT JOIN entry_reversal AS reversal ON reversal.request_id = one.id AND reversal.account_id = :own
        LEFT JOIN signal ON signal.alert_id = one.id AND signal.account_id = :own
    ) AS own ON true
    LEFT JOIN LATERAL (
        SELECT CASE WHEN signal.id IS NULL THEN reversal.quantity_opening
                    WHEN signal.verdict = 'accepted' AND signal.action <> 'CLOSE' THEN
                        GREATEST(0, signal.quantity - GREATEST(0, -(signal.figures ->> 'held')::integer * :sign))
               END AS opening
        FROM (VALUES (alert.id)) AS one (id)
        LEFT JOIN entry_reversal AS reversal ON reversal.request_id = one.id AND reversal.account_id = :copy
        LEFT JOIN signal ON signal.alert_id = one.id AND signal.account_id = :copy
    ) AS copied ON true
    WHERE alert.hook_id = :hook AND alert.root = :root AND alert.action = :action AND alert.verdict = 'accepted'
      AND alert.id <> :alert AND alert.received_at BETWEEN :from AND :until
      AND NOT EXISTS (
          SELECT FROM alert AS between_both
          WHERE between_both.hook_id = :hook AND between_both.root = :root AND between_both.action <> :action
            AND between_both.verdict = 'accepted'
            AND between_both.id BETWEEN LEAST(alert.id, :alert) AND GREATEST(alert.id, :alert)
      )
""")


@dataclass(frozen=True, slots=True)
class _Accepted:
    quantity: int
    held: int  # before the entry, below zero for short


def is_limited(stored: StoredAlert, alert: Alert, account_id: int) -> bool:
    """Whether what an alert opens on an account depends on the hook's own account."""
    return alert.action.is_entry and alert.target_position is None and account_id != stored.account_id


def find_part(
    connection: Connection,
    stored: StoredAlert,
    alert: Alert,
    account_id: int,
    *,
    contract_id: str,
    own_size: int | None = None,
) -> OwnPart | None:
    """Return what an order closes and opens on the hook's own account, for the copy on another one.

    None while that is not decided there, and what it holds is not certain. A size by risk that closes something is not
    known before it is decided, unless `own_size` forecasts it.
    """
    part = _find_own(connection, stored, alert, contract_id, own_size)
    if part is None or part.opening is None:
        return part
    beside = connection.execute(
        _BESIDE,
        {
            "alert": stored.id,
            "hook": stored.hook_id,
            "root": alert.root.name,
            "action": alert.kind,
            "from": stored.received_at - _BESIDE_WITHIN,
            "until": stored.received_at + _BESIDE_WITHIN,
            "own": stored.account_id,
            "copy": account_id,
            "sign": Side(alert.action).sign,
        },
    ).one()
    return replace(part, opening_beside=beside.own, copied_beside=beside.copied, has_undecided=bool(beside.undecided))


def _find_own(
    connection: Connection, stored: StoredAlert, alert: Alert, contract_id: str, own_size: int | None
) -> OwnPart | None:
    sign = Side(alert.action).sign
    recorded = reversals.find(connection, stored.id, stored.account_id)
    if recorded is not None:
        return OwnPart(recorded.closing, recorded.opening)
    accepted = _find_accepted(connection, stored)
    if accepted is not None:
        return OwnPart.of(accepted.quantity if alert.quantity is None else alert.quantity, -accepted.held * sign)
    obstacles, state = entry_obstacles.read(
        connection,
        stored,
        alert,
        account_id=stored.account_id,
        contract_id=contract_id,
        correlation_id=stored.id,
    )
    if obstacles.waits or state.is_uncertain(contract_id) or has_earlier(connection, stored, stored.account_id):
        return None
    against, size = -state.quantity(contract_id) * sign, alert.quantity if own_size is None else own_size
    if size is not None and (alert.quantity is not None or against > 0):
        return OwnPart.of(size, against)
    return _BY_RISK if against <= 0 else None


def _find_accepted(connection: Connection, stored: StoredAlert) -> _Accepted | None:
    """Return the entry that was accepted on the hook's own account, None without one."""
    accepted = select(signal.c.quantity, signal.c.figures["held"].as_integer()).where(
        signal.c.alert_id == stored.id,
        signal.c.account_id == stored.account_id,
        signal.c.verdict == "accepted",
        signal.c.figures["held"].is_not(None),
    )
    found = connection.execute(accepted).one_or_none()
    return None if found is None else _Accepted(*found)


def has_earlier(connection: Connection, stored: StoredAlert, account_id: int) -> bool:
    """Whether an alert of the hook that was received before is still to be handled on one of its accounts."""
    earlier = and_(
        alert_table.c.hook_id == stored.hook_id,
        alert_table.c.root == stored.root,
        alert_table.c.verdict == "accepted",
        alert_table.c.id < stored.id,
        alert_table.c.id >= lowest_id_at(stored.received_at - _LOOK_BACK),
    )
    handles = job.c.id == alert_table.c.job_id
    if account_id != stored.account_id:
        handles = and_(
            job.c.name == "alerts.handle_follower_alert",
            job.c.arguments["alert_id"].astext == cast(alert_table.c.id, Text),
            job.c.arguments["account_id"].as_integer() == account_id,
        )
    return has_rows(connection, select(job.c.id).join(alert_table, handles).where(earlier, IS_UNFINISHED))
