"""Rollups: what happened is summed up by minute, minutes by hour, hours by day, with a histogram of the durations.

The minutes of gauges are stored by those who read them; their hours and days are summed up here too.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from shared.db.alerts.probe_hook import PROBE_HOOK_ID
from shared.db.metrics import gauges
from shared.db.metrics.happened import ENDED, HAPPENED
from shared.domain.market_data.bar import MINUTE
from shared.domain.upkeep.slots import slot_at

LATE_FOR = timedelta(minutes=30)  # rows may come so late: the calls of a job are recorded once it has ended
_LATE_EVERY = timedelta(minutes=10)  # most rows are there within two minutes, so not in each run
_JUST_LATE_FOR = timedelta(minutes=2)
_CATCH_UP = timedelta(hours=6)  # at most in one run
_ROWS_KEPT = timedelta(
    days=6
)  # a day less than calls and sums of minutes are kept: what is older was summed up, or is gone

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('metric_rollup'))")
_PROGRESS = text("SELECT (SELECT rolled_up_until_at FROM metric_progress), clock_timestamp()")
_RECORD_PROGRESS = text("""
    INSERT INTO metric_progress (rolled_up_until_at) VALUES (:until) ON CONFLICT (is_only)
    DO UPDATE SET rolled_up_until_at = excluded.rolled_up_until_at
""")
_DELETE = text("DELETE FROM metric_rollup WHERE span = :span AND period_start_at >= :start AND period_start_at < :end")
_INSERT_MINUTES = text(
    f"""
    WITH {ENDED}
    INSERT INTO metric_rollup
        (span, period_start_at, kind, name, count, error_count, total_ms, max_ms, buckets, counts)
    SELECT 'minute', minute, kind, name, sum(n), sum(errors), sum(total), max(most),
           coalesce(array_agg(bucket ORDER BY bucket) FILTER (WHERE bucket IS NOT NULL), '{{}}'),
           coalesce(array_agg(n ORDER BY bucket) FILTER (WHERE bucket IS NOT NULL), '{{}}')
    FROM (
        SELECT date_trunc('minute', happened_at) AS minute, kind, name, bucket_of(ms) AS bucket, count(*) AS n,
               count(*) FILTER (WHERE is_error) AS errors, coalesce(sum(ms), 0) AS total, max(ms) AS most
        FROM (
            {HAPPENED}
        ) AS happened
        GROUP BY 1, 2, 3, 4
    ) AS bucketed
    GROUP BY minute, kind, name
"""  # noqa: S608  # no value enters the text
)
_INSERT_SUMS = text("""
    WITH part AS (
        SELECT date_trunc(:span, period_start_at, 'UTC') AS period, metric_rollup.* FROM metric_rollup
        WHERE span = :of AND period_start_at >= :start AND period_start_at < :end
    )
    INSERT INTO metric_rollup
        (span, period_start_at, kind, name, count, error_count, total_ms, max_ms, buckets, counts)
    SELECT :span, period, kind, name, count, error_count, total_ms, max_ms, coalesce(buckets, '{}'),
           coalesce(counts, '{}')
    FROM (
        SELECT period, kind, name, sum(count) AS count, sum(error_count) AS error_count, sum(total_ms) AS total_ms,
               max(max_ms) AS max_ms
        FROM part GROUP BY period, kind, name
    ) AS summed
    LEFT JOIN (
        SELECT period, kind, name, array_agg(bucket ORDER BY bucket) AS buckets, array_agg(n ORDER BY bucket) AS counts
        FROM (
            SELECT period, kind, name, bucket, sum(one.n)::bigint AS n
            FROM part, unnest(buckets, counts) AS one(bucket, n) GROUP BY period, kind, name, bucket
        ) AS merged
        GROUP BY period, kind, name
    ) AS histogram USING (period, kind, name)
""")


def roll_up(connection: Connection, slot: datetime, probes: Sequence[str]) -> int:
    """Sum up what happened before the minute of `slot` and was not yet, and the last LATE_FOR every ten minutes.

    `probes` are the names of the jobs to leave out. Return how many rows of minutes there are. Any number of runs,
    late, twice or at once, end in the same rows: the periods are computed from the rows of before, and replaced. A
    `slot` before what is summed up already is taken for the newest. After the clock was set back it goes on from now:
    what is later is summed up again once its time has come.
    """
    connection.execute(_LOCK)
    done, now = connection.execute(_PROGRESS).one()
    newest = slot_at(now, MINUTE) + MINUTE  # one that is a minute ahead is summed up again as just late
    slot = min(slot_at(slot, MINUTE), newest)
    done = None if done is None else min(slot_at(done, MINUTE), newest)
    late_for = LATE_FOR if done is None or slot_at(slot, _LATE_EVERY) > done else _JUST_LATE_FOR
    slot = slot if done is None else max(slot, done)  # the hour of an earlier one has minutes after it
    since = slot if done is None else max(done, slot - _ROWS_KEPT)
    end = min(slot, since + _CATCH_UP)
    start = max(since - late_for, slot - _ROWS_KEPT)
    values = {"start": start, "end": end}
    connection.execute(_DELETE, values | {"span": "minute"})
    left_out = {"probes": list(probes), "probe_hook": PROBE_HOOK_ID}
    rows = connection.execute(_INSERT_MINUTES, values | left_out).rowcount
    for span, of in (("hour", "minute"), ("day", "hour")):
        start = _begin(start, span)
        connection.execute(_DELETE, {"span": span, "start": start, "end": end})
        connection.execute(_INSERT_SUMS, {"span": span, "of": of, "start": start, "end": end})
        gauges.replace_sums(connection, span, of, start, end)
    connection.execute(_RECORD_PROGRESS, {"until": end})
    return rows


def _begin(instant: datetime, span: str) -> datetime:
    """Return the beginning of the hour or the day, in UTC, that an instant is in."""
    hour = instant.replace(minute=0, second=0, microsecond=0)
    return hour if span == "hour" else hour.replace(hour=0)
