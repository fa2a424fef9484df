"""Notifications on their way to the channels: taken for a while, then recorded as sent, or to be tried again."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, text

from shared.domain.notifications.kinds import Kind, Level
from shared.domain.notifications.messages import Pending

# A run sends all that it takes well within that; what a killed one had taken is sent by the next one after it.
_TAKEN_FOR = timedelta(minutes=5)
_TRIED_FOR = timedelta(days=1)
_MOST_AT_ONCE = 20_000
_LEAST_ATTEMPTS = 10  # a computer that wakes has no network for a moment, however long it slept
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 15, 600
_WAITS = "sent_at IS NULL AND given_up_at IS NULL"

_TAKE = text(f"""
    WITH taken AS (
        SELECT notification_id FROM notification_delivery JOIN notification ON id = notification_id
        WHERE channel = :channel AND {_WAITS} AND next_attempt_at <= clock_timestamp()
          AND (level = 'critical' OR NOT :only_critical)
        ORDER BY level = 'critical' DESC, id LIMIT {_MOST_AT_ONCE} FOR UPDATE OF notification_delivery SKIP LOCKED
    ), moved AS (
        UPDATE notification_delivery SET next_attempt_at = clock_timestamp() + :taken_for
        WHERE channel = :channel AND notification_id IN (SELECT notification_id FROM taken)
        RETURNING notification_id
    )
    SELECT id, kind, level, text, happened_at FROM moved JOIN notification ON id = notification_id
""")  # noqa: S608  # a constant of ours
_OF_IDS = "channel = :channel AND notification_id = ANY(:ids)"
_RECORD_SENT = text(f"""
    UPDATE notification_delivery SET sent_at = now(), attempt_count = attempt_count + 1, error = NULL WHERE {_OF_IDS}
""")  # noqa: S608  # as above
_RECORD_FAILED = text(f"""
    UPDATE notification_delivery
    SET attempt_count = attempt_count + 1, error = :error,
        next_attempt_at = now() + interval '1 second' * least(:longest, :first * 2 ^ least(attempt_count, 10)),
        first_attempt_at = coalesce(first_attempt_at, now()),
        given_up_at = CASE WHEN first_attempt_at < now() - :tried_for AND attempt_count >= {_LEAST_ATTEMPTS}
                           THEN now() END
    WHERE {_OF_IDS}
""")  # noqa: S608  # as above
_GIVE_UP_OTHERS = text(f"""
    UPDATE notification_delivery SET given_up_at = now(), error = 'its channel was removed'
    WHERE {_WAITS} AND channel <> ALL(:channels)
""")  # noqa: S608  # as above
_SUMMARIZE = text(f"""
    SELECT channel, count(*) FILTER (WHERE {_WAITS}) AS waiting_count, max(sent_at) AS sent_at,
           count(*) FILTER (WHERE given_up_at IS NOT NULL) AS given_up_count,
           (array_agg(error ORDER BY next_attempt_at DESC) FILTER (WHERE error IS NOT NULL AND {_WAITS}))[1] AS error
    FROM notification_delivery GROUP BY channel ORDER BY channel
""")  # noqa: S608  # as above


def take(connection: Connection, channel: str, *, only_critical: bool) -> list[Pending]:
    """Return what waits for a channel and is due; no other run gets it for five minutes."""
    values = {"channel": channel, "taken_for": _TAKEN_FOR, "only_critical": only_critical}
    rows = connection.execute(_TAKE, values)
    return [Pending(row.id, Kind(row.kind), Level(row.level), row.text, row.happened_at) for row in rows]


def record_sent(connection: Connection, channel: str, ids: Sequence[int]) -> None:
    """Record that a message told these."""
    connection.execute(_RECORD_SENT, {"channel": channel, "ids": list(ids)})


def record_failed(connection: Connection, channel: str, ids: Sequence[int], error: str) -> None:
    """Record why these were not sent: they are tried again, for a day, after pauses that double to ten minutes."""
    values = {"first": _FIRST_PAUSE_S, "longest": _LONGEST_PAUSE_S, "tried_for": _TRIED_FOR, "error": error}
    connection.execute(_RECORD_FAILED, values | {"channel": channel, "ids": list(ids)})


def give_up_others(connection: Connection, channels: Collection[str]) -> None:
    """Give up what waits for channels that are set no more."""
    connection.execute(_GIVE_UP_OTHERS, {"channels": list(channels)})


def summarize(connection: Connection) -> dict[str, dict[str, Any]]:
    """Return by channel how many wait and were given up, when one was last sent, and why the newest try failed."""
    return {row["channel"]: dict(row) for row in connection.execute(_SUMMARIZE).mappings()}
