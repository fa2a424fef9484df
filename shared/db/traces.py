"""The trace of one cause: every step from an alert, a person or a strategy to the proof of a stop, in order of time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, literal, null, select, text, union_all

from shared.db.id_part import has_id_part
from shared.db.market_data import market_clock
from shared.db.tables.alerts import alert, signal
from shared.db.tables.ledger import job
from shared.db.tables.orders import orders

_ID_DIGITS = 32
_LEAST_DIGITS = 8  # of a part of an id
_MOST_DIGITS_OF_NUMBER = 18  # what a bigint surely holds


class TracedKind(StrEnum):
    """What an id can be of."""

    ALERT = "alert"
    JOB = "job"
    SIGNAL = "signal"
    ORDER = "order"
    FILL = "fill"
    CAUSE = "correlation id"


@dataclass(frozen=True, slots=True)
class TracedCause:
    """A row that an id is of; `correlation_id` is None of an alert that was refused, and of a fill without an order."""

    kind: TracedKind
    id: str
    correlation_id: UUID | None
    alert_id: UUID | None


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One step: what happened `at` an instant, to which row, on which account; `text` says it for a person.

    `account` is None of the alert and its receipt, `figures` are those of a verdict, `details` what the text says by
    name, without what is not known.
    """

    at: datetime
    kind: str
    account: str | None
    id: str | None
    text: str
    figures: Mapping[str, Any] | None
    details: Mapping[str, Any]


_BY_NUMBER = text("""
    SELECT 'order' AS kind, orders.id::text AS id, correlation_id, NULL::uuid AS alert_id
    FROM account JOIN orders ON orders.account_id = account.id AND venue_order_id = :number
    UNION ALL
    SELECT 'fill', venue_fill_id::text, orders.correlation_id, NULL
    FROM account JOIN fill ON fill.account_id = account.id AND venue_fill_id = :number
    LEFT JOIN orders ON orders.id = fill.order_id
""")

_ALERT_OF = text("""
    SELECT coalesce((SELECT (arguments ->> 'alert_id')::uuid FROM job WHERE id = :cause),
                    (SELECT alert_id FROM orders JOIN signal ON signal.id = signal_id
                     WHERE orders.correlation_id = :cause AND alert_id IS NOT NULL LIMIT 1))
""")

_APPLIED = text("""
    SELECT DISTINCT orders.correlation_id
    FROM job JOIN orders ON orders.account_id = (arguments ->> 'account_id')::bigint AND venue_order_id IN (
        SELECT (reported ->> 'id')::bigint FROM jsonb_array_elements(arguments -> 'orders') AS reported
        UNION SELECT (reported ->> 'orderId')::bigint FROM jsonb_array_elements(arguments -> 'fills') AS reported)
    WHERE job.id = :job AND job.name = 'orders.apply_execution_reports'
""")

# The venue's instants are market time, which the machine's clock shows only at the live venue.
_TIME, _MARKET_TIME = "HH24:MI:SS.MS", 'YYYY-MM-DD HH24:MI:SS.MS "market time"'

_STEPS = text("""
    WITH flattened AS (
        SELECT id FROM flatten_request WHERE correlation_id = :cause
        -- A request that joined an open one has only a job of its own.
        UNION SELECT (arguments ->> 'flatten_request_id')::uuid FROM job WHERE correlation_id = :cause
    ), belongs AS (
        SELECT id FROM orders WHERE correlation_id = :cause
        UNION
        SELECT orders.id FROM flattened JOIN flatten_request AS request USING (id)
        JOIN orders ON orders.account_id = request.account_id
            AND created_at BETWEEN requested_at AND coalesce(flat_at, dropped_at, now())
            AND (request.contract_id IS NULL OR request.contract_id = orders.contract_id)
        WHERE role = 'EXIT' AND client_order_id IS NULL  -- the venue's closing orders, as IS_CLOSE says
    ), caused AS (
        SELECT orders.*, account.name AS account, min_scale(tick_size) AS decimals,
               concat_ws(' ', lower(replace(role, '_', ' ')), side, orders.quantity, contract.id, lower(type))
                   AS what,
               ' at ' || shown_price AS at_price,
               jsonb_build_object('order_id', orders.id, 'role', role, 'side', side, 'quantity', orders.quantity,
                                  'contract_id', contract.id, 'order_type', type, 'price', shown_price,
                                  'venue_order_id', venue_order_id) AS details
        FROM belongs JOIN orders USING (id)
        JOIN account ON account.id = account_id JOIN contract ON contract.id = contract_id
        CROSS JOIN LATERAL (SELECT coalesce(stop_price, limit_price)) AS priced (own_price)
        -- Only its newest price is stored: of one that was changed the first is not known.
        CROSS JOIN LATERAL (SELECT CASE WHEN type <> 'TRAILING_STOP' AND NOT EXISTS (
            SELECT FROM order_change WHERE order_id = orders.id AND state NOT IN ('CREATED', 'REJECTED')
            AND coalesce(order_change.stop_price, order_change.limit_price) IS NOT NULL)
            THEN round(own_price, greatest(min_scale(tick_size), min_scale(own_price)))::text END
        ) AS known (shown_price)
    ), decided AS (
        SELECT id FROM signal WHERE alert_id = :alert UNION SELECT signal_id FROM caused
    ), asked AS (
        SELECT id FROM entry_approval WHERE alert_id = :alert
        UNION SELECT (arguments ->> 'approval_id')::uuid FROM job WHERE correlation_id = :cause
    ), change AS (
        SELECT order_change.*, caused.account,
               concat_ws(' ', lower(kind), caused.what,
                         'to ' || new_price, 'to ' || order_change.quantity || ' contracts') AS what,
               caused.details || jsonb_build_object('change', kind, 'quantity', order_change.quantity,
                                                    'price', new_price, 'reason', order_change.reason) AS details
        FROM order_change JOIN caused ON caused.id = order_id
        CROSS JOIN LATERAL (SELECT coalesce(order_change.stop_price, order_change.limit_price)) AS priced (own_price)
        CROSS JOIN LATERAL (SELECT round(own_price, greatest(decimals, min_scale(own_price)))::text)
            AS shown (new_price)
    )
    SELECT sent_at AS at, 'alert_sent' AS kind, NULL AS account, id::text AS id, 'by its sender''s clock' AS text,
           NULL::jsonb AS figures, NULL::jsonb AS details
    FROM alert WHERE id = :alert AND sent_at IS NOT NULL
    UNION ALL
    SELECT received_at, 'alert_received', NULL, alert.id::text,
           concat_ws(' ', 'webhook', hook.name || ':', verdict, action, root, '(' || reason || ')'), NULL,
           jsonb_build_object('hook', hook.name, 'verdict', verdict, 'action', action, 'root', root, 'reason', reason)
    FROM alert JOIN hook ON hook.id = hook_id WHERE alert.id = :alert
    UNION ALL
    SELECT enqueued_at, 'job_enqueued', NULL, id::text, concat_ws(' ', name, 'in', queue), NULL,
           jsonb_build_object('job', name, 'queue', queue)
    FROM job WHERE correlation_id = :cause
    UNION ALL
    SELECT started_at, 'job_started', NULL, id::text,
           name || CASE WHEN attempt > 1 THEN format(', attempt %s', attempt) ELSE '' END, NULL,
           jsonb_build_object('job', name, 'attempt', attempt)
    FROM job WHERE correlation_id = :cause AND started_at IS NOT NULL
    UNION ALL
    SELECT finished_at, 'job_' || state, NULL, id::text,
           concat_ws(': ', name, why), NULL, jsonb_build_object('job', name, 'attempt', attempt, 'reason', why)
    FROM job
    CROSS JOIN LATERAL (
        SELECT CASE WHEN state <> 'succeeded' THEN substring(error FROM '([^\\n]+)\\n*$') END
    ) AS ended (why)
    WHERE correlation_id = :cause AND finished_at IS NOT NULL
    UNION ALL
    SELECT decided_at, 'verdict_' || verdict, account.name, signal.id::text,
           concat_ws(' ', action, quantity, contract_id, '(' || reason || ')'), figures,
           jsonb_build_object('action', action, 'quantity', quantity, 'contract_id', contract_id, 'reason', reason)
    FROM decided JOIN signal USING (id) JOIN account ON account.id = account_id
    UNION ALL
    SELECT asked_at, 'approval_asked', account.name, entry_approval.id::text,
           concat_ws(' ', side, quantity, contract_id), NULL, jsonb_build_object(
               'side', side, 'quantity', quantity, 'contract_id', contract_id, 'order_type', type, 'reason', reason)
    FROM asked JOIN entry_approval USING (id) JOIN account ON account.id = account_id
    UNION ALL
    SELECT decided_at, 'approval_' || lower(state), account.name, entry_approval.id::text,
           concat_ws(' ', 'by', decided_by, '(' || decision_reason || ')'), NULL, jsonb_build_object(
               'side', side, 'quantity', quantity, 'contract_id', contract_id, 'order_type', type,
               'decided_by', decided_by, 'reason', decision_reason)
    FROM asked JOIN entry_approval USING (id) JOIN account ON account.id = account_id WHERE decided_at IS NOT NULL
    UNION ALL
    SELECT created_at, 'order_created', account, id::text, what || coalesce(at_price, ''), NULL, details FROM caused
    UNION ALL
    SELECT submitted_at, 'order_submitted', account, id::text, what || coalesce(at_price, ''), NULL, details
    FROM caused WHERE submitted_at IS NOT NULL
    UNION ALL
    SELECT in_doubt_at, 'order_in_doubt', account, id::text, what || coalesce(at_price, ''), NULL, details
    FROM caused WHERE in_doubt_at IS NOT NULL
    UNION ALL
    SELECT accepted_at, 'order_acknowledged', account, id::text,
           concat(what, at_price, ', venue order ', venue_order_id), NULL, details
    FROM caused WHERE accepted_at IS NOT NULL
    UNION ALL
    SELECT updated_at, 'order_' || lower(state), account, id::text,
           concat_ws(' ', what, '(' || reason || ')'), NULL, details || jsonb_build_object('reason', reason)
    FROM caused WHERE state IN ('CANCELLED', 'EXPIRED', 'REJECTED', 'DENIED')
    UNION ALL
    SELECT recorded_at, 'fill', caused.account, venue_fill_id::text,
           concat_ws(' ', fill.side, fill.quantity, 'at', fill_price, '(' || lower(replace(role, '_', ' ')),
                     'at the venue ' || to_char(filled_market_at AT TIME ZONE 'UTC', :venue_time) || ')'), NULL,
           details || jsonb_build_object(
               'side', fill.side, 'quantity', fill.quantity, 'contract_id', fill.contract_id, 'price', fill_price,
               'filled_market_at', filled_market_at, 'venue_fill_id', venue_fill_id,
               'venue_order_id', fill.venue_order_id)
    FROM fill JOIN caused ON caused.id = order_id
    CROSS JOIN LATERAL (SELECT round(price, greatest(decimals, min_scale(price)))::text) AS shown (fill_price)
    WHERE NOT is_voided
    UNION ALL
    SELECT guarded_at, CASE WHEN guarded_by = 'flat' THEN 'flat' ELSE 'stop_proven' END, caused.account,
           string_agg(venue_fill_id::text, ' ' ORDER BY venue_fill_id),
           CASE WHEN guarded_by = 'flat' THEN 'no position' ELSE guarded_by END
               || ' after the ' || lower(replace(role, '_', ' ')), NULL,
           jsonb_build_object('role', role, 'guarded_by', guarded_by)
    FROM fill JOIN caused ON caused.id = order_id WHERE guarded_at IS NOT NULL AND NOT is_voided
    GROUP BY guarded_at, guarded_by, caused.account, role
    UNION ALL
    SELECT created_at, 'change_requested', account, id::text, concat_ws(' ', what, '(' || reason || ')'), NULL, details
    FROM change
    UNION ALL
    SELECT settled_at, 'change_' || lower(state), account, id::text, concat_ws(' ', what, '(' || outcome || ')'), NULL,
           details || jsonb_build_object('outcome', outcome)
    FROM change WHERE settled_at IS NOT NULL
    UNION ALL
    SELECT requested_at, 'flatten_requested', account.name, flatten_request.id::text,
           concat_ws(' ', coalesce(contract_id, 'all'), '(' || reason || ')'), NULL,
           jsonb_build_object('contract_id', contract_id, 'reason', reason)
    FROM flattened JOIN flatten_request USING (id) JOIN account ON account.id = account_id
    UNION ALL
    SELECT coalesce(flat_at, dropped_at), CASE WHEN flat_at IS NULL THEN 'flatten_dropped' ELSE 'flat' END,
           account.name, flatten_request.id::text, coalesce(contract_id, 'all'), NULL,
           jsonb_build_object('contract_id', contract_id, 'reason', reason)
    FROM flattened JOIN flatten_request USING (id) JOIN account ON account.id = account_id
    WHERE coalesce(flat_at, dropped_at) IS NOT NULL
    ORDER BY at, kind, id
""")


def find(connection: Connection, digits: str) -> list[TracedCause]:
    """Return what has an id that begins or ends with these hexadecimal digits, or this number at the venue.

    Rows of one cause are one; a correlation id is found by all its digits, as the first job of most causes has it.
    """
    parts = union_all(
        select(literal("alert").label("kind"), alert.c.id, alert.c.job_id.label("cause"), alert.c.id.label("alert_id"))
        .where(has_id_part(alert.c.id, digits)),
        select(literal("job"), job.c.id, job.c.correlation_id, null()).where(has_id_part(job.c.id, digits)),
        select(literal("signal"), signal.c.id, signal.c.correlation_id, signal.c.alert_id)
        .where(has_id_part(signal.c.id, digits)),
        select(literal("order"), orders.c.id, orders.c.correlation_id, null())
        .where(has_id_part(orders.c.id, digits)),
    )  # fmt: skip
    found = []
    if len(digits) >= _LEAST_DIGITS:
        found = [TracedCause(TracedKind(row[0]), str(row[1]), row[2], row[3]) for row in connection.execute(parts)]
    if len(digits) == _ID_DIGITS and not found:
        cause = UUID(digits)
        whole = union_all(
            select(job.c.id).where(job.c.correlation_id == cause),
            select(orders.c.id).where(orders.c.correlation_id == cause),
        )
        found = [TracedCause(TracedKind.CAUSE, str(cause), cause, None)] if connection.execute(whole).first() else []
    if digits.isdecimal() and len(digits) <= _MOST_DIGITS_OF_NUMBER:
        rows = connection.execute(_BY_NUMBER, {"number": int(digits)})
        found += [TracedCause(TracedKind(row.kind), row.id, row.correlation_id, row.alert_id) for row in rows]
    causes: dict[object, TracedCause] = {}
    for one in found:
        causes.setdefault(one.correlation_id or one.alert_id or one.id, one)
    return list(causes.values())


def list_steps(connection: Connection, found: TracedCause) -> list[TraceStep]:
    """Return every step that our rows have of the cause, oldest first; jobs are kept for two weeks."""
    alert_id = found.alert_id
    if alert_id is None and found.correlation_id is not None:
        alert_id = connection.execute(_ALERT_OF, {"cause": found.correlation_id}).scalar()
    market = market_clock.read(connection)
    is_own_clock = market is None or market.clock.is_machine_time
    values = {"cause": found.correlation_id, "alert": alert_id, "venue_time": _TIME if is_own_clock else _MARKET_TIME}
    rows = connection.execute(_STEPS, values).mappings()
    steps = [TraceStep(**dict(row) | {"details": _drop_unknown(row["details"])}) for row in rows]
    # A verdict and its order have one instant, that of their commit.
    return sorted(steps, key=lambda one: (one.at, not one.kind.startswith(("alert", "verdict"))))


def list_applied_causes(connection: Connection, job_id: UUID) -> list[UUID]:
    """Return the correlation ids of the orders of which a job has applied execution reports; none of other jobs."""
    return list(connection.execute(_APPLIED, {"job": job_id}).scalars())


def _drop_unknown(details: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (details or {}).items() if value is not None}
