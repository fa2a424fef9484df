"""The SQL of whole queues: how long they are, whether they are served, and what had to be repaired."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from shared.fleets import Queue
from shared.ledger.transitions import IS_DUE, IS_ITS_TURN, Line

_LOOK = """
    UPDATE queue_state SET looked_at = now(), queued = coalesce(counted.queued, 0)
    FROM queue_state old LEFT JOIN (SELECT queue, count(*) AS queued FROM job WHERE state = 'queued' GROUP BY queue)
         AS counted ON counted.queue = old.queue
    WHERE queue_state.queue = old.queue
"""


def look(connection: Line) -> None:
    """Note how many jobs each queue holds; enqueue refuses by it where a queue has a limit."""
    connection.execute(_LOOK)


def note_republished(connection: Line, queue: Queue, count: int) -> None:
    """Count wake-ups that had to be sent again."""
    statement = "UPDATE queue_state SET republished_count = republished_count + %(count)s WHERE queue = %(queue)s"
    connection.execute(statement, {"queue": queue.value, "count": count})


_NOTE_DUPLICATE = """
    UPDATE queue_state SET duplicate_count = duplicate_count + 1
    WHERE queue = (SELECT queue FROM job WHERE id = %(job_id)s)
"""


def note_duplicate(connection: Line, job_id: UUID) -> None:
    """Count a wake-up for a job that another had claimed, or that was over."""
    connection.execute(_NOTE_DUPLICATE, {"job_id": job_id})


_ASK_FOR_CANARIES = """
    UPDATE queue_state SET canary_asked_at = now()
    WHERE canary_asked_at IS NULL OR canary_asked_at < now() - %(every)s::interval
    RETURNING queue
"""


def canaries_due(connection: Line, every: timedelta) -> list[Queue]:
    """Return the queues whose next canary is due, noting that it was asked for; of many askers one gets it."""
    return [Queue(queue) for (queue,) in connection.execute(_ASK_FOR_CANARIES, {"every": every})]


# Jobs are due for a while, slots are free, and still this node has begun nothing: it is connected, but not consuming.
_IS_STUCK = f"""
    SELECT (SELECT count(*) FROM job WHERE state = 'running' AND starts_with(worker, %(node)s)) < %(slots)s
       AND NOT EXISTS (SELECT 1 FROM job WHERE state = 'running' AND starts_with(worker, %(node)s)
                       AND started_at > now() - %(patience)s::interval)
       AND NOT EXISTS (SELECT 1 FROM job WHERE finished_at > now() - %(patience)s::interval
                       AND starts_with(worker, %(node)s))
       AND EXISTS (SELECT 1 FROM job WHERE state = 'queued' AND queue = ANY(%(queues)s) AND {IS_DUE}
                   AND run_at < now() - %(patience)s::interval AND published_at IS NOT NULL AND {IS_ITS_TURN})
"""  # noqa: S608  # no value enters the text


def is_stuck(connection: Line, node: str, queues: Sequence[Queue], slots: int, patience: timedelta) -> bool:
    """Whether a node with free slots has begun nothing for `patience` though its queues held due jobs all the time."""
    values = {"node": f"{node}/", "queues": [queue.value for queue in queues], "slots": slots, "patience": patience}
    row = connection.execute(_IS_STUCK, values).fetchone()
    return bool(row and row[0])
