"""Sums since the beginning, for counters: the days of `metric_rollup` added up, with the histogram in coarser steps."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate

from sqlalchemy import Connection, text

# Every 35th bucket of 2 % is an end of a step, about twice the one before: so each bucket lies within one step.
_BUCKETS = 35
_FIRST, _LAST = 5, 24  # from 0.3 ms to 3 minutes
STEP_ENDS_S = tuple(float(f"{0.01 / 1000 * 1.02 ** (_BUCKETS * step):.10g}") for step in range(_FIRST, _LAST + 1))
# A rollup computes the last half hour again: the days that ended before this are final.
_FINAL_AFTER = timedelta(hours=2)
_DAYS_AT_ONCE = timedelta(days=100)  # a statement's time limit must not depend on how many years there are

_PROGRESS = text("""
    SELECT rolled_up_until_at, (SELECT min(period_start_at) FROM metric_rollup WHERE span = 'day')
    FROM metric_progress
""")
_SUM = text("""
    WITH part AS (
        SELECT * FROM metric_rollup WHERE span = 'day' AND period_start_at >= :start AND period_start_at < :end
    ), histogram AS (
        SELECT kind, name, array_agg(step) AS steps, array_agg(n) AS counts FROM (
            SELECT kind, name, least(greatest((bucket + :buckets - 1) / :buckets, :first), :last + 1) - :first AS step,
                   sum(one.n)::bigint AS n
            FROM part, unnest(buckets, counts) AS one(bucket, n) GROUP BY kind, name, step
        ) AS merged GROUP BY kind, name
    )
    SELECT kind, name, count, error_count, total_ms, coalesce(steps, '{}') AS steps, coalesce(counts, '{}') AS counts
    FROM (
        SELECT kind, name, sum(count)::bigint AS count, sum(error_count)::bigint AS error_count,
               sum(total_ms) AS total_ms
        FROM part GROUP BY kind, name
    ) AS summed LEFT JOIN histogram USING (kind, name)
""")


@dataclass(slots=True)
class Total:
    """What happened since the beginning: how often, how often it failed, and how long it took in all.

    `counts` has how many durations each step of STEP_ENDS_S has, and behind them how many are longer than the last.
    """

    count: int = 0
    error_count: int = 0
    total_ms: Decimal = Decimal(0)
    counts: list[int] = field(default_factory=lambda: [0] * (len(STEP_ENDS_S) + 1))

    def cumulate(self) -> list[int]:
        """Return how many durations are not longer than the end of each step, and at last how many there are."""
        return list(accumulate(self.counts))


Totals = dict[tuple[str, str], Total]  # by kind and name


class TotalsReader:
    """Reads the sums since the beginning; those of days that have ended are read once a day and kept."""

    def __init__(self) -> None:
        self._until: datetime | None = None
        self._ended: Totals = {}

    def read(self, connection: Connection) -> tuple[datetime | None, Totals]:
        """Return the end of the newest minute that is summed up, None before the first, and the sums."""
        found = connection.execute(_PROGRESS).one_or_none()
        if found is None:
            return None, {}
        until, begin = found
        if begin is None:
            return until, {}
        today = (until - _FINAL_AFTER).replace(hour=0, minute=0, second=0, microsecond=0)
        if self._until != today:
            self._ended = _add_up(connection, begin, today)
            self._until = today
        return until, _add_up(connection, today, until, before=self._ended)


def _add_up(connection: Connection, start: datetime, end: datetime, before: Totals | None = None) -> Totals:
    """Return the sums of the days that begin in [start, end), added to those of `before`, which stay as they are."""
    totals: defaultdict[tuple[str, str], Total] = defaultdict(Total)
    for key, one in (before or {}).items():
        totals[key] = Total(one.count, one.error_count, one.total_ms, list(one.counts))
    for part_start, part_end in _split(start, end):
        values = {"start": part_start, "end": part_end, "buckets": _BUCKETS, "first": _FIRST, "last": _LAST}
        for row in connection.execute(_SUM, values):
            total = totals[row.kind, row.name]
            total.count += row[2]  # a row's own method is called `count`
            total.error_count += row.error_count
            total.total_ms += row.total_ms
            for step, count in zip(row.steps, row.counts, strict=True):
                total.counts[step] += count
    return dict(totals)


def _split(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        yield start, min(start + _DAYS_AT_ONCE, end)
        start += _DAYS_AT_ONCE
