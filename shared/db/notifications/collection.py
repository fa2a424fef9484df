"""Makes notifications of what has happened to alerts, orders, accounts and jobs: each event once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.notifications import notification, notification_progress
from shared.domain.notifications.channel import Channel
from shared.domain.notifications.kinds import Kind, Level
from shared.ids import CLOCK_SKEW, lowest_id_at

# Longest time from the instant of a row to its commit. An event that is found again has its key, and is told once.
_COMMITTED_WITHIN = timedelta(minutes=2)
# Events of accounts: what is no news, what people did or is good news, and what may wait; all else is critical, so that
# a new kind is rather told too loud.
_SILENT_EVENTS = ("trail", "first_seen", "position_baseline")
_INFO_EVENTS = (
    "^((strategy|live|approval)_.*|resumed|unblocked|receiver_reachable|lock_lifted|balance_moved|breach_cleared|rules"
    "|default_stop|high_water_mark|taken_over)$"
)
_WARNING_EVENTS = ("balance_unexplained", "disk_low")
_WATCHES = ("unwatched", "receiver_unreachable", "receiver_reachable")
# Each part reads by an index: of ids, which begin with the time of their creation, or of a time.
_COLLECT = text("""
    INSERT INTO notification (key, kind, level, text, happened_at)
    SELECT 'alert ' || alert.id, 'alert', 'warning', format('alert of hook %s refused: %s', hook.name, reason),
           received_at
    FROM alert JOIN hook ON hook.id = hook_id
    WHERE alert.id > :lowest_id AND received_at > :since AND verdict = 'refused' AND hook_id <> :probe_hook
    UNION ALL
    SELECT 'signal ' || signal.id, 'denied', 'warning',
           concat_ws(' ', signal.action, signal.quantity, contract.name, 'on', short_account(account.name), 'denied:',
                     signal.reason),
           decided_at
    FROM signal JOIN account ON account.id = signal.account_id
    LEFT JOIN contract ON contract.id = signal.contract_id
    WHERE signal.id > :lowest_id AND decided_at > :since AND signal.verdict = 'denied'
    UNION ALL
    SELECT format('fill %s %s', fill.account_id, venue_fill_id), 'fill', 'info',
           concat_ws(' ', fill.side, fill.quantity, contract.name, 'at',
                     round(price, greatest(min_scale(tick_size), min_scale(price))), 'on', short_account(account.name),
                     '(' || lower(replace(role, '_', ' ')) || ')',
                     CASE WHEN gross_pnl <> 0 THEN 'result ' || round(gross_pnl, 2) || ' before costs' END),
           recorded_at
    FROM fill JOIN account ON account.id = fill.account_id JOIN contract ON contract.id = fill.contract_id
    LEFT JOIN orders ON orders.id = order_id
    WHERE recorded_at > :since AND NOT is_voided
    UNION ALL
    SELECT 'order ' || orders.id, 'rejected', 'critical',
           concat_ws(' ', lower(replace(role, '_', ' ')), side, orders.quantity, contract.name, 'on',
                     short_account(account.name), 'rejected:', orders.reason), orders.updated_at
    FROM orders JOIN account ON account.id = account_id JOIN contract ON contract.id = contract_id
    WHERE state = 'REJECTED' AND orders.updated_at > :since
    UNION ALL
    SELECT 'event ' || account_event.id, CASE WHEN kind = ANY(:watches) THEN 'watch' ELSE 'account' END,
           CASE WHEN kind ~ :info THEN 'info' WHEN kind = ANY(:warning) THEN 'warning' ELSE 'critical' END,
           concat_ws(': ', short_account(account.name), replace(kind, '_', ' '), nullif(message, '')), happened_at
    FROM account_event JOIN account ON account.id = account_id
    WHERE account_event.id > :lowest_id AND happened_at > :since AND kind <> ALL(:silent)
    UNION ALL
    SELECT 'act ' || id, 'account', CASE WHEN act = 'telegram_lock' THEN 'critical' ELSE 'warning' END,
           CASE WHEN act = 'telegram_lock'
                THEN format('%s is locked after %s wrong codes', who, after ->> 'wrong_codes')
                ELSE format('%s may send commands: paired with account %s', who, after ->> 'telegram_id') END,
           happened_at
    FROM audit WHERE id > :lowest_id AND happened_at > :since AND act IN ('telegram_lock', 'telegram_pair')
    UNION ALL
    SELECT format('job %s %s', id, finished_at), 'job', CASE WHEN queue = 'critical' THEN 'critical' ELSE 'warning' END,
           format('%s is dead, and waits for a person: %s', name, substring(error FROM '([^\\n]+)\\n*$')), finished_at
    FROM job WHERE state = 'dead' AND finished_at > :since
    UNION ALL
    SELECT format('day %s %s', ended.account_id, ended.trading_day), 'summary', 'info',
           format('%s on %s: net %s (%s trades, %s won, %s lost), balance %s', short_account(account.name),
                  ended.trading_day, round(coalesce(net, 0), 2), traded, won, lost, round(closing_balance, 2)),
           closed_at
    FROM account_day AS ended JOIN account ON account.id = account_id CROSS JOIN LATERAL (
        SELECT count(*) AS traded, count(*) FILTER (WHERE round_trip.net > 0) AS won,
               count(*) FILTER (WHERE round_trip.net < 0) AS lost, sum(round_trip.net) AS net
        FROM round_trip
        WHERE round_trip.account_id = ended.account_id AND trading_day_at(closed_market_at) = ended.trading_day
          AND closed_market_at >= trading_day_begins(ended.trading_day) - interval '3 days'
          AND closed_market_at < trading_day_begins(ended.trading_day) + interval '2 days'
    ) AS day WHERE closed_at > :since
    ON CONFLICT (key) DO NOTHING
    RETURNING id, kind, level
""")
_DELIVER = text("""
    INSERT INTO notification_delivery (channel, notification_id)
    SELECT :channel, unnest(CAST(:ids AS bigint[])) ON CONFLICT DO NOTHING
""")


@dataclass(frozen=True, slots=True)
class NewNotification:
    """Something to tell that no row of the trading tables says; `key` names it, so that it is told once."""

    key: str
    kind: Kind
    level: Level
    text: str


def collect(connection: Connection, channels: Collection[Channel], until: datetime, probe_hook: object) -> int:
    """Make notifications of the events since the last call; return how many are new.

    Without channels, or at the first call with any, nothing is: a first channel is told of what follows.
    """
    since = _move_on(connection, until, has_channels=bool(channels))
    if since is None:
        return 0
    values = {
        "since": since,
        "lowest_id": lowest_id_at(since - CLOCK_SKEW),
        "probe_hook": probe_hook,
        "watches": list(_WATCHES),
        "info": _INFO_EVENTS,
        "warning": list(_WARNING_EVENTS),
        "silent": list(_SILENT_EVENTS),
    }
    found = [(row.id, Kind(row.kind), Level(row.level)) for row in connection.execute(_COLLECT, values)]
    _deliver(connection, channels, found)
    return len(found)


def add(connection: Connection, channels: Collection[Channel], found: Sequence[NewNotification], at: datetime) -> None:
    """Store notifications for the channels that take them; what has a known key is left out."""
    for one in found:
        values = {"key": one.key, "kind": one.kind, "level": one.level, "text": one.text, "happened_at": at}
        statement = insert(notification).values(values).on_conflict_do_nothing().returning(notification.c.id)
        new = connection.execute(statement).scalar()
        if new is not None:
            _deliver(connection, channels, [(new, one.kind, one.level)])


def _move_on(connection: Connection, until: datetime, *, has_channels: bool) -> datetime | None:
    """Record that events were looked through until then; return the instant from which on they are to be now.

    That is two minutes before the end of the look before, but not before channels were set; None at the first look
    with channels, and without them. What is later than `until` is of a clock that was set back, and counts as `until`.
    """
    table = notification_progress.c
    before = connection.execute(select(table.began_at, table.collected_until_at).with_for_update()).one_or_none()
    began_at = None if before is None or before.began_at is None else min(before.began_at, until)
    if began_at is None and not has_channels:
        return None
    values = {"began_at": (began_at or until) if has_channels else None, "collected_until_at": until}
    statement = insert(notification_progress).values(**values)
    connection.execute(statement.on_conflict_do_update(index_elements=["is_only"], set_=values))
    if before is None or began_at is None or not has_channels:
        return None
    since: datetime = max(began_at, min(before.collected_until_at, until) - _COMMITTED_WITHIN)
    return since


def _deliver(connection: Connection, channels: Collection[Channel], found: Sequence[tuple[int, Kind, Level]]) -> None:
    for channel in channels:
        ids = [id_ for id_, kind, level in found if channel.takes(kind, level)]
        if ids:
            connection.execute(_DELIVER, {"channel": channel.name, "ids": ids})
