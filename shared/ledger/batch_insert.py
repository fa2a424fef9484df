"""Inserts many jobs with idempotency keys in one statement: requests that arrive together share a commit."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

import msgspec
import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from shared.db.engine import driver
from shared.ledger.enqueue import KEY_RETENTION, NewJob
from shared.ledger.job import Job

JOBS_AS_INPUT: LiteralString = """
    input AS (
        SELECT * FROM json_to_recordset(%(jobs)s::json) AS job (
            id uuid, name text, queue text, arguments jsonb, max_attempts integer,
            deadline_s double precision, expires_after_s double precision, sequence_key text, key text,
            parent_id uuid, sequence_id uuid, correlation_id uuid))
"""
TAKE_KEYS: LiteralString = """
    INSERT INTO job_key (idempotency_key, job_id, kept_until)
    SELECT key, id, now() + %(kept)s::interval FROM input
"""
# Of a job that closes a direction, whether that is held in its root, or an entry at work there may open it, or one has
# filled so recently that its fill may not be recorded.
IS_WANTED: LiteralString = """
    (arguments ->> 'against' IS NULL
     OR EXISTS (
        SELECT FROM position JOIN contract ON contract.id = position.contract_id
        WHERE position.account_id = (arguments ->> 'account_id')::bigint
          AND position.direction = arguments ->> 'against' AND contract.root = arguments ->> 'root')
     OR EXISTS (
        SELECT FROM orders JOIN contract ON contract.id = orders.contract_id
        WHERE orders.account_id = (arguments ->> 'account_id')::bigint AND orders.role = 'ENTRY'
          AND orders.state IN ('CREATED','SUBMITTING','IN_DOUBT','WORKING') AND contract.root = arguments ->> 'root')
     OR EXISTS (
        SELECT FROM orders JOIN contract ON contract.id = orders.contract_id
        WHERE orders.account_id = (arguments ->> 'account_id')::bigint AND orders.role = 'ENTRY'
          AND orders.side = CASE arguments ->> 'against' WHEN 'LONG' THEN 'BUY' ELSE 'SELL' END
          AND orders.filled_quantity > 0 AND orders.updated_at > now() - interval '1 minute'
          AND contract.root = arguments ->> 'root'))
"""
IN_ORDER: LiteralString = "ORDER BY key, id ON CONFLICT DO NOTHING RETURNING job_id"  # two programs lock in one order
INSERT_INPUT: LiteralString = """
    INSERT INTO job (id, name, queue, arguments, max_attempts, deadline, expires_at, sequence_key, sequence_id,
                     published_at, parent_id, correlation_id)
    SELECT id, name, queue, arguments, max_attempts, deadline_s * interval '1 second',
           now() + expires_after_s * interval '1 second', sequence_key, sequence_id, now(), parent_id,
           correlation_id
    FROM input
"""
_INSERT_JOBS: LiteralString = f"""
    WITH {JOBS_AS_INPUT}, taken AS ({TAKE_KEYS} WHERE {IS_WANTED} {IN_ORDER})
    {INSERT_INPUT} WHERE id IN (SELECT job_id FROM taken) RETURNING id
"""  # noqa: S608  # no value enters the text
_READ_IS_WANTED: LiteralString = f"""
    SELECT {IS_WANTED} FROM (SELECT %(arguments)s::jsonb AS arguments) AS input
"""  # noqa: S608  # no value enters the text
_HOLDERS: LiteralString = "SELECT idempotency_key, job_id FROM job_key WHERE idempotency_key = ANY(%(keys)s::text[])"


async def insert_jobs(connection: psycopg.AsyncConnection[Any], jobs: Sequence[NewJob]) -> set[UUID]:
    """Insert the jobs that are wanted and whose key is free, and return their ids; of several with one key the first.

    Each has a key, is due at once, and its queue has no limit: so it is with the jobs of alerts.
    """
    rows = await (await connection.execute(_INSERT_JOBS, values_of(map(encode_job, jobs)))).fetchall()
    return {id_ for (id_,) in rows}


def is_wanted(connection: Connection, request: Job) -> bool:
    """Whether a job of an alert is inserted: one that closes a direction only if that may be held."""
    values = {"arguments": Jsonb(request, dumps=msgspec.json.encode)}
    ((found,),) = driver(connection).execute(_READ_IS_WANTED, values).fetchall()
    return bool(found)


def encode_job(job: NewJob) -> msgspec.Raw:
    """Return a job as a row of JOBS_AS_INPUT."""
    row = {
        "id": job.id,
        "name": job.request.job_name(),
        "queue": job.queue.value,
        "arguments": job.request,
        "max_attempts": job.request.attempts,
        "deadline_s": _to_seconds(job.request.deadline),
        "expires_after_s": _to_seconds(job.expires_after),
        "sequence_key": job.sequence_key,
        "key": job.key,
        "parent_id": job.parent_id,
        "sequence_id": job.sequence_id,
        "correlation_id": job.correlation_id,
    }
    return msgspec.Raw(msgspec.json.encode(row))


def values_of(rows: Iterable[msgspec.Raw]) -> dict[str, object]:
    """Return the values of a statement that has JOBS_AS_INPUT."""
    return {"jobs": msgspec.json.encode(list(rows)).decode(), "kept": KEY_RETENTION}


async def holders_of(connection: psycopg.AsyncConnection[Any], keys: Sequence[str]) -> dict[str, UUID]:
    """Return the job that holds each of these keys."""
    return dict(await (await connection.execute(_HOLDERS, {"keys": list(keys)})).fetchall())


def _to_seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()
