"""The SQL of whole queues: due jobs, the backlog, and whether workers serve it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from shared.fleets import LEASE, Queue
from shared.ledger.claims import IS_NEXT_IN_SEQUENCE, MAY_BE_BATCHED, NEXT_DUE, Backlog, LedgerConnection
from shared.ledger.envelope import WakeUp

# Of several relays, one counts a queue: rows that another has locked are left to it.
_COUNT = """
    WITH mine AS MATERIALIZED (SELECT queue FROM queue_state ORDER BY queue FOR UPDATE SKIP LOCKED)
    UPDATE queue_state SET counted_at = now(), queued = coalesce(counted.queued, 0)
    FROM mine LEFT JOIN (SELECT queue, count(*) AS queued FROM job WHERE state = 'queued' GROUP BY queue)
         AS counted ON counted.queue = mine.queue
    WHERE queue_state.queue = mine.queue
"""


def count_queued(connection: LedgerConnection) -> None:
    """Count the queued jobs of each queue into `queue_state`, where `enqueue` sees that a bounded queue is full."""
    connection.execute(_COUNT)


def record_republished(connection: LedgerConnection, queue: Queue, count: int) -> None:
    """Count wake-ups that had to be published again."""
    statement = "UPDATE queue_state SET republished_count = republished_count + %(count)s WHERE queue = %(queue)s"
    connection.execute(statement, {"queue": queue.value, "count": count})


_REQUEST_CANARIES = """
    WITH mine AS MATERIALIZED (
        SELECT queue FROM queue_state
        WHERE canary_requested_at IS NULL OR canary_requested_at < now() - %(every)s::interval
        ORDER BY queue FOR UPDATE SKIP LOCKED)
    UPDATE queue_state SET canary_requested_at = now() FROM mine WHERE queue_state.queue = mine.queue
    RETURNING mine.queue
"""


def request_canaries(connection: LedgerConnection, every: timedelta) -> list[Queue]:
    """Return the queues whose next canary is due and record the request; of several relays only one gets each."""
    return [Queue(queue) for (queue,) in connection.execute(_REQUEST_CANARIES, {"every": every})]


_BACKLOG = f"""
    SELECT name, count(*) FROM (
        SELECT * FROM job WHERE state = 'queued' AND queue = %(queue)s AND run_at <= now()
        ORDER BY run_at, id LIMIT %(most)s) AS head
    WHERE name = ANY(%(names)s) AND {MAY_BE_BATCHED}
    GROUP BY name
"""  # noqa: S608  # no value enters the text


def backlog_by_name(connection: LedgerConnection, queue: Queue, names: Sequence[str], most: int) -> dict[str, int]:
    """Return how many of the first `most` jobs of the queue may run in batches, by name."""
    return dict(connection.execute(_BACKLOG, {"queue": queue.value, "names": list(names), "most": most}).fetchall())


_DUE = f"""
    WITH found AS MATERIALIZED (
        SELECT id, published_at IS NOT NULL AS is_again FROM job
        WHERE state = 'queued' AND queue = %(queue)s AND run_at <= now() AND (expires_at IS NULL OR expires_at > now())
          AND (published_at IS NULL OR published_at < run_at OR published_at < now() - interval '1 second')
          AND NOT (name = ANY(%(batched)s) AND {MAY_BE_BATCHED})
          AND {IS_NEXT_IN_SEQUENCE}
        ORDER BY run_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
    UPDATE job SET published_at = now() FROM found WHERE job.id = found.id
    RETURNING job.id, name, queue, deadline, is_again
"""  # noqa: S608  # no value enters the text


def take_due(
    connection: LedgerConnection, queue: Queue, limit: int, batched: Sequence[str] = ()
) -> tuple[list[WakeUp], int]:
    """Return wake-ups for up to `limit` due jobs, and how many of them were published before, at least a second ago.

    Marks the jobs as published. A job whose name is in `batched` is left out if it may run in a batch.
    """
    values = {"queue": queue.value, "limit": limit, "batched": list(batched)}
    found = connection.execute(_DUE, values).fetchall()
    return [_to_wake_up(row[:4]) for row in found], sum(row[4] for row in found)


_PEEK: LiteralString = f"""
    SELECT id, name, queue, deadline FROM job WHERE id = ({NEXT_DUE} ORDER BY job.run_at, job.id LIMIT 1)
"""  # noqa: S608  # no value enters the text


def peek_next(connection: LedgerConnection, backlog: Backlog) -> WakeUp | None:
    """Return a wake-up for the oldest due job of the backlog, or None."""
    row = connection.execute(_PEEK, backlog.values()).fetchone()
    return None if row is None else _to_wake_up(row)


_UNCLAIMED = f"""
    SELECT name, id FROM job
    WHERE state = 'queued' AND queue = %(queue)s AND name = ANY(%(names)s)
      AND run_at <= now() - %(longer_than)s::interval
      AND (expires_at IS NULL OR expires_at > now()) AND {IS_NEXT_IN_SEQUENCE}
    ORDER BY run_at, id LIMIT %(most)s
"""  # noqa: S608  # no value enters the text


def list_unclaimed(
    connection: LedgerConnection, queue: Queue, names: Sequence[str], longer_than: timedelta, most: int
) -> list[tuple[str, UUID]]:
    """Return the names and ids of jobs that were due `longer_than` ago and that nothing has claimed, oldest first."""
    values = {"queue": queue.value, "names": list(names), "longer_than": longer_than, "most": most}
    return connection.execute(_UNCLAIMED, values).fetchall()


# Queue by queue, in the order of the index, so that the due backlog is not scanned.
_FIND_WORK = """
    SELECT EXISTS (SELECT 1 FROM job WHERE state = 'queued' AND expires_at <= now()),
           EXISTS (SELECT 1 FROM job WHERE state = 'running'
                   AND NOT lease_until BETWEEN now() AND now() + %(lease)s::interval),
           array_agg(one.queue) FILTER (WHERE EXISTS (
               SELECT 1 FROM job WHERE state = 'queued' AND queue = one.queue AND run_at <= now())),
           min((SELECT run_at FROM job WHERE state = 'queued' AND queue = one.queue AND run_at > now()
                ORDER BY run_at LIMIT 1)) - clock_timestamp(),
           clock_timestamp()
    FROM unnest(%(queues)s::text[]) AS one (queue)
"""


@dataclass(frozen=True, slots=True)
class Work:
    """What a relay may have to do: expired jobs, leases that may have ended, due jobs, and when the next is due."""

    has_expired: bool
    has_old_leases: bool
    due: frozenset[Queue]
    next_due_in: timedelta | None
    read_at: datetime | None = None  # by Postgres' clock


def find_work(connection: LedgerConnection) -> Work:
    """Return what a relay may have to do, in one statement: most of the time that is nothing."""
    row = connection.execute(_FIND_WORK, {"queues": [queue.value for queue in Queue], "lease": LEASE}).fetchone()
    has_expired, has_old_leases, due, next_due_in, read_at = row or (False, False, None, None, None)
    return Work(has_expired, has_old_leases, frozenset(map(Queue, due or [])), next_due_in, read_at)


_NEXT_IN_SEQUENCE = """
    SELECT id, name, queue, deadline FROM job
    WHERE sequence_key = %(sequence_key)s AND state = 'queued' AND run_at <= now()
      AND (expires_at IS NULL OR expires_at > now())
    ORDER BY sequence_id LIMIT 1
"""


def next_in_sequence(connection: LedgerConnection, sequence_key: str) -> WakeUp | None:
    """Return a wake-up for the first due job of the sequence_key, or None."""
    row = connection.execute(_NEXT_IN_SEQUENCE, {"sequence_key": sequence_key}).fetchone()
    return None if row is None else _to_wake_up(row)


def _to_wake_up(row: Sequence[Any]) -> WakeUp:
    job_id, name, queue, deadline = row
    return WakeUp(job_id, name, Queue(queue), deadline)
