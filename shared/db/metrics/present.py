"""The state of queues, fleets of workers and the database now, each in a statement of its own."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from shared.fleets import LEASE

_QUEUES = text("""
    SELECT queue, queued, due, running, dead, oldest_due_s::float8, canary_age_s::float8, republished_count
    FROM queue_now ORDER BY queue
""")
# After a step back of Postgres' clock a heartbeat that is to come is none, as for the ledger. In a long transaction one
# that came after its begin counts.
_FLEETS = text("""
    WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS at)
    SELECT fleet,
           count(*) FILTER (WHERE ended_at IS NULL AND seen_at BETWEEN (SELECT at FROM clock) - :lease
                            AND (SELECT at FROM clock) + interval '1 second') AS running,
           extract(epoch FROM (SELECT at FROM clock) - max(least(seen_at, (SELECT at FROM clock)))
                   FILTER (WHERE ended_at IS NULL))::float8 AS age_s
    FROM worker GROUP BY fleet ORDER BY fleet
""")
_DATABASE = text("SELECT clock_timestamp(), (SELECT version_num FROM alembic_version)")


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue: its jobs by state, and seconds; `oldest_due_s` is None if none is due, `canary_age_s` before the first.

    `due` are the queued jobs that could run now; `republished_count` is counted since the beginning.
    """

    queue: str
    queued: int
    due: int
    running: int
    dead: int
    oldest_due_s: float | None
    canary_age_s: float | None
    republished_count: int


@dataclass(frozen=True, slots=True)
class FleetState:
    """A fleet that ran in the last days: its workers with a fresh heartbeat, and seconds since the newest heartbeat.

    `age_s` is None if every worker of it has ended in order, and 0 if a heartbeat is dated in the future, as by a clock
    that was set back since.
    """

    fleet: str
    running: int
    age_s: float | None


def list_queues(connection: Connection) -> list[QueueState]:
    """Return every queue, by name."""
    return [QueueState(*row) for row in connection.execute(_QUEUES)]


def list_fleets(connection: Connection) -> list[FleetState]:
    """Return every fleet of which a worker has run in the last days, also on other hosts, by name.

    A worker without a heartbeat for LEASE does not run.
    """
    return [FleetState(*row) for row in connection.execute(_FLEETS, {"lease": LEASE})]


def read_database(connection: Connection) -> tuple[datetime, str]:
    """Return the time by Postgres' clock, and the revision of the schema."""
    now, revision = connection.execute(_DATABASE).one()
    return now, revision
