"""Inserts many jobs with idempotency keys in one statement: requests that arrive together share a commit."""

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID

import msgspec
import psycopg

from shared.ledger.enqueue import KEY_RETENTION, NewJob

_INSERT_JOBS: LiteralString = """
    WITH input AS (
        SELECT * FROM unnest(
            %(ids)s::uuid[], %(names)s::text[], %(queues)s::text[], %(arguments)s::text[], %(attempts)s::integer[],
            %(deadlines)s::interval[], %(expiries)s::interval[], %(sequence_keys)s::text[], %(keys)s::text[])
        AS job (id, name, queue, arguments, max_attempts, deadline, expires_after, sequence_key, key)),
    taken AS (
        INSERT INTO job_key (idempotency_key, job_id, kept_until)
        SELECT key, id, now() + %(kept)s::interval FROM input ORDER BY key, id
        ON CONFLICT DO NOTHING RETURNING job_id)
    INSERT INTO job (id, name, queue, arguments, max_attempts, deadline, expires_at, sequence_key, sequence_id,
                     published_at, correlation_id)
    SELECT id, name, queue, arguments::jsonb, max_attempts, deadline, now() + expires_after, sequence_key, id, now(), id
    FROM input WHERE id IN (SELECT job_id FROM taken)
    RETURNING id
"""
_HOLDERS: LiteralString = "SELECT idempotency_key, job_id FROM job_key WHERE idempotency_key = ANY(%(keys)s::text[])"


async def insert_jobs(connection: psycopg.AsyncConnection[Any], jobs: Sequence[NewJob]) -> set[UUID]:
    """Insert the jobs whose key is free, and return their ids; of several with one key the first is inserted.

    Each has a key, is due at once and begins a correlation of its own, and its queue has no limit: so it is with the
    jobs of alerts.
    """
    values = {
        "ids": [job.id for job in jobs],
        "names": [job.request.job_name() for job in jobs],
        "queues": [job.queue.value for job in jobs],
        "arguments": [msgspec.json.encode(job.request).decode() for job in jobs],
        "attempts": [job.request.attempts for job in jobs],
        "deadlines": [job.request.deadline for job in jobs],
        "expiries": [job.expires_after for job in jobs],
        "sequence_keys": [job.sequence_key for job in jobs],
        "keys": [job.key for job in jobs],
        "kept": KEY_RETENTION,
    }
    return {id_ for (id_,) in await (await connection.execute(_INSERT_JOBS, values)).fetchall()}


async def holders_of(connection: psycopg.AsyncConnection[Any], keys: Sequence[str]) -> dict[str, UUID]:
    """Return the job that holds each of these keys."""
    return dict(await (await connection.execute(_HOLDERS, {"keys": list(keys)})).fetchall())
