"""The spans of traces: what has ended of the jobs, calls, orders and fills that one cause led to, for OpenTelemetry."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, text, update

from shared.db.tables.metrics import trace_progress
from shared.ids import CLOCK_SKEW, lowest_id_at

_LONGEST_CALL = timedelta(minutes=2)
_LONGEST_ALERT = timedelta(hours=1)  # from its receipt to the end of its first job
_BATCH = 500


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One span: what took place from one instant to another, all of machine time.

    `key` names it within the installation, `parent_key` the span that led to it, None of the first one of its `cause`.
    `error` says why it failed, None if it did not. `events` are instants within it, by name.
    """

    cause: UUID
    key: str
    parent_key: str | None
    name: str
    began_at: datetime
    ended_at: datetime
    error: str | None
    attributes: Mapping[str, Any]
    events: Mapping[str, str]


# What was not requested is left out: jobs of the schedule and what follows them, unless it led to an order. Those
# are sent with the first order, which may be approved minutes later, and not before its window: each would come twice.
# Their calls and verdicts are of their own windows alone, so they also go with an order that follows. Of a denial by a
# rule only the rule is sent: the rest has the balance.
_SPANS = text("""
    WITH first_ordered AS (
        SELECT DISTINCT correlation_id FROM orders
        WHERE created_at > :since AND created_at <= :until AND NOT EXISTS (
            SELECT FROM orders AS earlier
            WHERE earlier.correlation_id = orders.correlation_id AND earlier.created_at <= :since)
    ), ended AS (
        SELECT job.* FROM job
        WHERE finished_at > :since AND finished_at <= :until AND name <> ALL(:probes)
        UNION ALL
        SELECT job.* FROM first_ordered JOIN job USING (correlation_id)
        JOIN job AS first ON first.id = job.correlation_id
        WHERE first.schedule IS NOT NULL AND job.finished_at <= :since
    ), called AS (
        SELECT api_call.*, called_at + duration_ms * interval '1 ms' AS ended_at, job.correlation_id
        FROM api_call JOIN job ON job.id = api_call.job_id
        WHERE called_at > :called_since AND called_at <= :until AND job.name <> ALL(:probes)
    ), found AS (
        SELECT ended.correlation_id AS cause, 'alert ' || alert.id AS key, NULL AS parent_key,
               concat_ws(' ', 'alert', alert.action, alert.root) AS name, received_at AS began_at,
               finished_at AS ended_at, CASE WHEN verdict = 'refused' THEN alert.reason END AS error,
               jsonb_build_object('tickwork.alert.id', alert.id, 'tickwork.hook', hook.name) AS attributes,
               '{}'::jsonb AS events
        FROM ended JOIN alert ON alert.id = (arguments ->> 'alert_id')::uuid JOIN hook ON hook.id = hook_id
        WHERE ended.id = ended.correlation_id AND alert.id >= :oldest_alert
        UNION ALL
        SELECT correlation_id, 'job ' || id,
               CASE WHEN parent_id IS NOT NULL THEN 'job ' || parent_id
                    WHEN id = correlation_id AND arguments ? 'alert_id'
                    THEN 'alert ' || (arguments ->> 'alert_id')::uuid END,
               name, enqueued_at, finished_at,
               CASE WHEN state = 'succeeded' THEN NULL
                    WHEN error ~ 'RiskLimitError: [^\\n]*\\n*$'
                    THEN substring(error FROM '(RiskLimitError: [^:\\n]*)[^\\n]*\\n*$')
                    ELSE coalesce(substring(error FROM '([^\\n]+)\\n*$'), state) END,
               jsonb_build_object('tickwork.job.id', id, 'tickwork.job.state', state, 'tickwork.job.attempt', attempt,
                                  'messaging.destination.name', queue),
               jsonb_strip_nulls(jsonb_build_object('started', started_at))
        FROM ended
        UNION ALL
        SELECT correlation_id, format('call %s %s', id, called_at), 'job ' || job_id, concat_ws(' ', method, endpoint),
               called_at, ended_at, error,
               jsonb_strip_nulls(jsonb_build_object(
                   'http.request.method', method, 'url.path', endpoint, 'http.response.status_code', status)), '{}'
        FROM called WHERE ended_at > :since AND ended_at <= :until
        UNION ALL
        SELECT correlation_id, 'verdict ' || signal.id, 'job ' || correlation_id, 'verdict ' || verdict,
               decided_at, decided_at, NULL,
               jsonb_strip_nulls(jsonb_build_object(
                   'tickwork.account.id', account_id, 'tickwork.contract', contract_id, 'tickwork.action', action,
                   'tickwork.quantity', quantity,
                   'tickwork.rule', CASE WHEN reason LIKE '%: %' THEN split_part(reason, ':', 1) END)), '{}'
        FROM signal WHERE id >= :oldest_id AND decided_at > :since AND decided_at <= :until
        UNION ALL
        SELECT correlation_id, 'order ' || id, 'job ' || correlation_id,
               concat_ws(' ', 'order', lower(replace(role, '_', ' ')), side),
               created_at, reported_at,
               CASE WHEN state = 'REJECTED' THEN coalesce(reason, state) WHEN state = 'DENIED' THEN state END,
               jsonb_strip_nulls(jsonb_build_object(
                   'tickwork.order.id', id, 'tickwork.account.id', account_id, 'tickwork.contract', contract_id,
                   'tickwork.order.type', type, 'tickwork.quantity', quantity,
                   'tickwork.price', coalesce(stop_price, limit_price)::text,
                   'tickwork.order.venue_id', venue_order_id)),
               jsonb_strip_nulls(jsonb_build_object('submitted', submitted_at, 'in doubt', in_doubt_at))
        FROM orders CROSS JOIN LATERAL (
            -- A leg of a bracket, and what the venue or a person made, are known to us when they are reported.
            SELECT CASE WHEN accepted_at IS NOT NULL THEN accepted_at
                        WHEN state IN ('REJECTED', 'DENIED') THEN updated_at
                        WHEN submitted_at IS NULL AND state <> 'CREATED' THEN created_at END
        ) AS reported (reported_at)
        WHERE created_at > :created_since AND reported_at > :since AND reported_at <= :until
        UNION ALL
        SELECT correlation_id, format('fill %s %s', fill.account_id, venue_fill_id), 'order ' || order_id,
               concat_ws(' ', 'fill', lower(replace(role, '_', ' ')), fill.side),
               coalesce(submitted_at, created_at), recorded_at, NULL,
               jsonb_build_object('tickwork.account.id', fill.account_id, 'tickwork.contract', fill.contract_id,
                                  'tickwork.quantity', fill.quantity, 'tickwork.price', fill.price::text), '{}'
        FROM fill JOIN orders ON orders.id = order_id WHERE recorded_at > :since AND recorded_at <= :until
        UNION ALL
        SELECT correlation_id, format('guard %s %s', fill.account_id, venue_fill_id),
               format('fill %s %s', fill.account_id, venue_fill_id), 'protect', recorded_at, guarded_at, NULL,
               jsonb_build_object('tickwork.guarded_by', guarded_by), '{}'
        FROM fill JOIN orders ON orders.id = order_id
        WHERE recorded_at > :created_since AND guarded_at > :since AND guarded_at <= :until
    )
    SELECT cause, key,
           -- A cause of a flatten or of the firm's own screen is no job.
           CASE WHEN parent_key <> 'job ' || cause OR first.id IS NOT NULL THEN parent_key END AS parent_key,
           found.name, began_at, ended_at, found.error, attributes, events
    FROM found LEFT JOIN job AS first ON first.id = cause
    WHERE first.schedule IS NULL OR EXISTS (
        SELECT FROM orders WHERE orders.correlation_id = cause AND (created_at <= :until OR key NOT LIKE 'job %'))
    ORDER BY ended_at, key
""")


def lock_progress(connection: Connection) -> datetime | None:
    """Return up to when spans were exported, and lock that until the transaction ends; None if another program does.

    The first call says: up to now.
    """
    if connection.execute(select(trace_progress.c.exported_until_at)).first() is None:
        connection.execute(text("INSERT INTO trace_progress (exported_until_at) VALUES (now()) ON CONFLICT DO NOTHING"))
    found: datetime | None = connection.execute(
        select(trace_progress.c.exported_until_at).with_for_update(skip_locked=True)
    ).scalar()
    return found


def read_progress(connection: Connection) -> datetime | None:
    """Return up to when spans were exported, None if none ever was."""
    found: datetime | None = connection.execute(select(trace_progress.c.exported_until_at)).scalar()
    return found


def record_progress(connection: Connection, until: datetime) -> None:
    """Record up to when spans were exported."""
    connection.execute(update(trace_progress).values(exported_until_at=until))


def list_ended(
    connection: Connection, since: datetime, until: datetime, probes: Sequence[str]
) -> Generator[list[SpanRow]]:
    """Yield the spans that ended after `since`, up to `until`, in batches; jobs of the names `probes` are left out."""
    values = {
        "since": since,
        "until": until,
        "called_since": since - _LONGEST_CALL,
        "created_since": since - _LONGEST_ALERT,
        "oldest_id": lowest_id_at(since - CLOCK_SKEW),
        "oldest_alert": lowest_id_at(since - _LONGEST_ALERT),
        "probes": list(probes),
    }
    with connection.execute(_SPANS.execution_options(yield_per=_BATCH), values) as rows:
        for part in rows.mappings().partitions(_BATCH):
            yield [SpanRow(**row) for row in part]
