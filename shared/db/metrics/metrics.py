"""Calls to the venue, figures of the last minutes from the rows themselves, and the state of each queue."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from sqlalchemy import Connection, func, literal, select, text, update

from shared.db.tables.ledger import queue_state
from shared.fleets import Queue


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call to the venue: a row of `api_call`, which adds `success` (no error)."""

    endpoint: str
    method: str
    called_at: datetime
    duration_ms: Decimal
    status: int | None
    error: str | None
    job_id: UUID | None
    queue: str


_RECORD: LiteralString = """
    INSERT INTO api_call (endpoint, method, called_at, duration_ms, status, error, job_id, queue) VALUES
"""


def record_calls(connection: psycopg.Connection[Any], calls: Sequence[ApiCall]) -> None:
    """Record calls to the venue, at most 8,000, in one statement; raise a psycopg.Error."""
    values = [value for call in calls for value in astuple(call)]
    connection.execute(_RECORD + ", ".join(["(%s, %s, %s, %s, %s, %s, %s, %s)"] * len(calls)), values)


def _fetch_rows(connection: Connection, sql: str, **values: object) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(text(sql), values).mappings()]


def job_summary(connection: Connection, window: timedelta, probes: Sequence[str]) -> list[dict[str, Any]]:
    """Return how many jobs of each queue wait, run or are dead now, and how many have ended otherwise in the window.

    Those of the names `probes` that have ended are left out: their rows are kept for minutes.
    """
    return _fetch_rows(
        connection,
        """
        SELECT queue, state, count(*) AS count FROM (
            SELECT queue, state FROM job WHERE state = 'queued'
            UNION ALL SELECT queue, state FROM job WHERE state = 'running'
            UNION ALL SELECT queue, state FROM job WHERE state = 'dead'
            UNION ALL SELECT queue, state FROM job
            WHERE finished_at > now() - :window AND state <> 'dead' AND name <> ALL(:probes)) AS one
        GROUP BY queue, state
        """,
        window=window,
        probes=list(probes),
    )


def strategy_summary(connection: Connection, window: timedelta) -> list[dict[str, Any]]:
    """Return per strategy and contract: evaluations, decisions to trade, median duration, newest evaluation."""
    return _fetch_rows(
        connection,
        """
        SELECT strategy, contract_id, count(*) AS evaluation_count,
               count(*) FILTER (WHERE decision <> 'none') AS decision_count,
               percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) AS p50_ms,
               max(closed_until_market_at) AS newest_market_at
        FROM strategy_run WHERE evaluated_at > now() - :window
        GROUP BY strategy, contract_id ORDER BY strategy, contract_id
        """,
        window=window,
    )


def record_canary(connection: Connection, queue: Queue, enqueued_at: datetime) -> None:
    """Record that a canary has passed through the queue."""
    values = {"canary_done_at": func.now(), "canary_wait": func.now() - literal(enqueued_at)}
    connection.execute(update(queue_state).where(queue_state.c.queue == queue.value).values(values))


def list_queue_states(connection: Connection) -> list[dict[str, Any]]:
    """Return a row per queue, with the age of its last canary and its wait in milliseconds."""
    statement = select(
        queue_state.c.queue,
        queue_state.c.queued,
        queue_state.c.republished_count,
        func.round(func.extract("epoch", queue_state.c.canary_wait) * 1000, 1).label("canary_wait_ms"),
        func.round(func.extract("epoch", func.now() - queue_state.c.canary_done_at)).label("canary_age_s"),
    )
    found = {row["queue"]: dict(row) for row in connection.execute(statement).mappings()}
    return [found[queue.value] for queue in Queue if queue.value in found]


def list_failing_endpoints(
    connection: Connection, window: timedelta, *, least: int, share: float
) -> list[dict[str, Any]]:
    """Return the endpoints with at least `least` failed calls in the window, if they are a `share` of all; worst first.

    A row has `endpoint`, `count`, `error_count` and `newest_error`.
    """
    return _fetch_rows(
        connection,
        """
        SELECT endpoint, count(*) AS count, count(error) AS error_count,
               (array_agg(error ORDER BY called_at DESC) FILTER (WHERE error IS NOT NULL))[1] AS newest_error
        FROM api_call WHERE called_at > now() - :window GROUP BY endpoint
        HAVING count(error) >= :least AND count(error) >= :share * count(*)
        ORDER BY count(error)::float / count(*) DESC, endpoint
        """,
        window=window,
        least=least,
        share=share,
    )


def count_dead_by_name(connection: Connection) -> dict[str, int]:
    """Return how many jobs of each name are dead, the most first."""
    statement = "SELECT name, count(*) AS count FROM job WHERE state = 'dead' GROUP BY name ORDER BY 2 DESC, 1"
    return {row["name"]: row["count"] for row in _fetch_rows(connection, statement)}


def find_newest_end(connection: Connection, name: str) -> dict[str, Any] | None:
    """Return state, result, error and finished_at of the newest job of this name that has ended; None if none has.

    One that ended later than now, by a clock that was set back since, is left out.
    """
    statement = """
        SELECT state, result, error, finished_at FROM job
        WHERE name = :name AND finished_at <= clock_timestamp() ORDER BY id DESC LIMIT 1
    """
    return next(iter(_fetch_rows(connection, statement, name=name)), None)


def find_newest_failure(connection: Connection, name: str) -> str | None:
    """Return the error of the newest job of this name that has ended; None if that succeeded, or none has ended."""
    newest = find_newest_end(connection, name)
    return None if newest is None or newest["state"] == "succeeded" else newest["error"] or newest["state"]
