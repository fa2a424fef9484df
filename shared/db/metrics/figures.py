"""The figures of a span of time: exact from the rows of a day, else from the sums of hours, within 1 %."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, TextClause, text

from shared.db.alerts.probe_hook import PROBE_HOOK_ID
from shared.db.metrics.happened import ENDED, HAPPENED

EXACT_WITHIN = timedelta(days=1)

_OF_ROWS = text(
    f"""
    WITH {ENDED}
    SELECT kind, name, count(*) AS count, count(*) FILTER (WHERE is_error) AS error_count,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY ms) AS p50_ms,
           percentile_disc(0.95) WITHIN GROUP (ORDER BY ms) AS p95_ms,
           percentile_disc(0.99) WITHIN GROUP (ORDER BY ms) AS p99_ms, max(ms) AS max_ms
    FROM ({HAPPENED}) AS happened GROUP BY kind, name ORDER BY p95_ms DESC NULLS LAST, kind, name
"""  # noqa: S608  # no value enters the text
)
_OF_SUMS = text("""
    WITH part AS (
        SELECT * FROM metric_rollup WHERE span = :span AND period_start_at >= :start AND period_start_at < :end
    ), histogram AS (
        SELECT kind, name, array_agg(bucket) AS buckets, array_agg(n) AS counts FROM (
            SELECT kind, name, bucket, sum(one.n)::bigint AS n
            FROM part, unnest(buckets, counts) AS one(bucket, n) GROUP BY kind, name, bucket
        ) AS merged GROUP BY kind, name
    ), summed AS (
        SELECT kind, name, sum(count)::bigint AS count, sum(error_count)::bigint AS error_count, max(max_ms) AS max_ms
        FROM part GROUP BY kind, name
    )
    SELECT kind, name, count, error_count, least(percentile_of(buckets, counts, 0.5), max_ms) AS p50_ms,
           least(percentile_of(buckets, counts, 0.95), max_ms) AS p95_ms,
           least(percentile_of(buckets, counts, 0.99), max_ms) AS p99_ms, max_ms
    FROM summed LEFT JOIN histogram USING (kind, name) ORDER BY p95_ms DESC NULLS LAST, kind, name
""")
_SLIPPAGE = text("""
    SELECT contract.id AS contract_id, count(*) AS count, round(avg(ticks), 2) AS mean_ticks, max(ticks) AS worst_ticks
    FROM (
        SELECT orders.contract_id, (average_fill_price - (figures ->> 'price')::numeric) / tick_size
               * CASE WHEN side = 'BUY' THEN 1 ELSE -1 END AS ticks
        FROM orders JOIN signal ON signal.id = signal_id JOIN contract ON contract.id = orders.contract_id
        WHERE created_at >= :start AND created_at < :end AND type = 'MARKET' AND orders.role = 'ENTRY'
          AND filled_quantity > 0 AND figures ? 'price'
    ) AS filled JOIN contract ON contract.id = filled.contract_id
    GROUP BY contract.id ORDER BY contract.id
""")


def summarize(connection: Connection, start: datetime, end: datetime, probes: Sequence[str]) -> list[dict[str, Any]]:
    """Return count, errors, percentiles and maximum of each kind and name in [start, end), slowest first.

    More than EXACT_WITHIN is summed up from the beginning of the hour of `start`, and its percentiles are right within
    1 %. `probes` are the names of the jobs to leave out.
    """
    if end - start <= EXACT_WITHIN:
        values = {"start": start, "end": end, "probes": list(probes), "probe_hook": PROBE_HOOK_ID}
        return _fetch(connection, _OF_ROWS, values)
    whole = start.replace(minute=0, second=0, microsecond=0)
    return _fetch(connection, _OF_SUMS, {"span": "hour", "start": whole, "end": end})


def measure_slippage(connection: Connection, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Return per contract how many market entries filled, and by how many ticks worse than the quote at their verdict.

    `mean_ticks` and `worst_ticks` are below zero where they filled better.
    """
    return _fetch(connection, _SLIPPAGE, {"start": start, "end": end})


def _fetch(connection: Connection, statement: TextClause, values: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(statement, values).mappings()]
