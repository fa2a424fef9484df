"""What is known of each queue, as a person or a canary sees it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, literal, select, update

from shared.db.tables.ledger import queue_state
from shared.fleets import Queue


def canary_done(connection: Connection, queue: Queue, enqueued_at: datetime) -> None:
    """Note that a canary came through."""
    came = {"canary_done_at": func.now(), "canary_wait": func.now() - literal(enqueued_at)}
    connection.execute(update(queue_state).where(queue_state.c.queue == queue.value).values(came))


def all_of_them(connection: Connection) -> list[dict[str, Any]]:
    """Return a row per queue, with the age of its last canary and its wait in milliseconds."""
    statement = select(
        queue_state.c.queue,
        queue_state.c.queued,
        queue_state.c.republished_count,
        queue_state.c.duplicate_count,
        func.round(func.extract("epoch", queue_state.c.canary_wait) * 1000, 1).label("canary_wait_ms"),
        func.round(func.extract("epoch", func.now() - queue_state.c.canary_done_at)).label("canary_age_s"),
    )
    found = {row["queue"]: dict(row) for row in connection.execute(statement).mappings()}
    return [found[queue.value] for queue in Queue if queue.value in found]
