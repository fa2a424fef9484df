"""Gauges: figures of computers, programs, prices, the risk monitor and request budgets, by minute, hour and day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from shared.db.metrics.figures import EXACT_WITHIN
from shared.domain.metrics.gauge_sums import GaugeSum

# In the order of the key, so that two programs never wait for each other. A crash of Postgres may undo the last ones:
# the commit need not wait for the disk.
_STORE = text("""
    WITH lax AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)), given AS (
        SELECT * FROM unnest(
            CAST(:minutes AS timestamptz[]), CAST(:kinds AS text[]), CAST(:sources AS text[]), CAST(:names AS text[]),
            CAST(:counts AS bigint[]), CAST(:totals AS numeric[]), CAST(:least AS numeric[]), CAST(:most AS numeric[])
        ) AS one(minute_at, kind, source, name, count, total, least, most)
    )
    INSERT INTO gauge_rollup (span, period_start_at, kind, source, name, count, total, min, max)
    SELECT 'minute', minute_at, kind, source, name, count, total, least, most FROM lax, given
    ORDER BY minute_at, kind, source, name
    ON CONFLICT (span, period_start_at, kind, source, name) DO UPDATE SET
        count = gauge_rollup.count + excluded.count, total = gauge_rollup.total + excluded.total,
        min = least(gauge_rollup.min, excluded.min), max = greatest(gauge_rollup.max, excluded.max)
""")
_DELETE = text("DELETE FROM gauge_rollup WHERE span = :span AND period_start_at >= :start AND period_start_at < :end")
_INSERT_SUMS = text("""
    INSERT INTO gauge_rollup (span, period_start_at, kind, source, name, count, total, min, max)
    SELECT CAST(:span AS text), date_trunc(:span, period_start_at, 'UTC'), kind, source, name, sum(count), sum(total),
           min(min), max(max)
    FROM gauge_rollup WHERE span = :of AND period_start_at >= :start AND period_start_at < :end
    GROUP BY 2, kind, source, name
""")
_SUMMARIZE = text("""
    SELECT kind, source, name, sum(count)::bigint AS count, round(sum(total) / sum(count), 3) AS mean, min(min) AS min,
           max(max) AS max
    FROM gauge_rollup WHERE span = :span AND period_start_at >= :start AND period_start_at < :end
    GROUP BY kind, source, name ORDER BY kind, source, name
""")
# A minute that has not begun to be filled may have nothing of what is read every fifteen seconds. Those of a clock that
# was ahead come later; one of another computer may be ahead by less than a minute.
_NEWEST = text("""
    SELECT DISTINCT ON (kind, source, name) kind, source, name, total / count AS mean
    FROM gauge_rollup WHERE span = 'minute' AND period_start_at >= date_trunc('minute', now()) - interval '1 minute'
          AND period_start_at <= now() + interval '1 minute'
    ORDER BY kind, source, name, period_start_at DESC
""")


@dataclass(frozen=True, slots=True)
class NewestGauge:
    """The mean of a gauge in the newest minute that has it, in the unit of its name."""

    kind: str
    source: str
    name: str
    mean: Decimal


def store(connection: Connection, sums: Sequence[GaugeSum]) -> None:
    """Add the sums to those of their minutes, in one statement; never the same sums twice."""
    if not sums:
        return
    values = {
        "minutes": [one.minute_at for one in sums],
        "kinds": [one.gauge.kind for one in sums],
        "sources": [one.gauge.source for one in sums],
        "names": [one.gauge.name for one in sums],
        "counts": [one.count for one in sums],
        "totals": [one.total for one in sums],
        "least": [one.least for one in sums],
        "most": [one.most for one in sums],
    }
    connection.execute(_STORE, values)


def replace_sums(connection: Connection, span: str, of: str, start: datetime, end: datetime) -> None:
    """Replace the sums of hours (of minutes) or days (of hours) from `start`, the beginning of one, until `end`."""
    connection.execute(_DELETE, {"span": span, "start": start, "end": end})
    connection.execute(_INSERT_SUMS, {"span": span, "of": of, "start": start, "end": end})


def summarize(connection: Connection, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Return count, mean, min and max of each gauge in the minutes from that of `start` until `end`.

    More than EXACT_WITHIN is summed up from hours, from that of `start` on.
    """
    span, first = "minute", start.replace(second=0, microsecond=0)
    if end - start > EXACT_WITHIN:
        span, first = "hour", first.replace(minute=0)
    return [dict(row) for row in connection.execute(_SUMMARIZE, {"span": span, "start": first, "end": end}).mappings()]


def list_newest(connection: Connection) -> list[NewestGauge]:
    """Return each gauge that was read in this minute or the one before: what is older says nothing about now."""
    return [NewestGauge(*row) for row in connection.execute(_NEWEST)]
