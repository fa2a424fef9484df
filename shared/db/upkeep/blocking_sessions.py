"""Sessions that keep our statements waiting for a lock, and those that only sit in a transaction.

A role sees the state of its own sessions, and of others only with `pg_read_all_stats`; it ends others only with
`pg_signal_backend`, and those of a superuser never. A session that blocks counts all the same when its state is hidden.
Source of the columns and privileges: PostgreSQL's pages on pg_stat_activity, pg_blocking_pids, pg_terminate_backend and
predefined roles.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

IDLE_GRACE = timedelta(seconds=1)  # of a person's session that does nothing in its transaction
FROZEN_GRACE = timedelta(seconds=4)  # of one of our programs
BUSY_GRACE = timedelta(seconds=3)  # of a person's statement that runs; less than our programs wait for a lock
# For the server itself: no session sits in a transaction for longer, whether it blocks one of ours or not.
IDLE_LIMIT = timedelta(seconds=60)

_OURS = "tickwork "
_COLUMNS = "other.pid, other.usename, other.application_name, other.state, other.xact_start"
_BLOCKING = text(f"""
    WITH waiting AS MATERIALIZED (
        SELECT pid, application_name FROM pg_stat_activity
        WHERE datname = current_database() AND starts_with(application_name, '{_OURS}') AND wait_event_type = 'Lock'
    ), blocking AS MATERIALIZED (
        SELECT blocker AS pid, array_agg(DISTINCT application_name) AS waiting
        FROM waiting, unnest(pg_blocking_pids(waiting.pid)) AS blocker GROUP BY blocker
    )
    SELECT {_COLUMNS}, waiting, clock_timestamp() - other.state_change, coalesce(holder.rolsuper, false),
           coalesce(ours.rolsuper OR NOT holder.rolsuper AND (
               pg_has_role(holder.oid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE')), false)
    FROM blocking JOIN pg_stat_activity other USING (pid) LEFT JOIN pg_roles holder ON holder.oid = other.usesysid
         JOIN pg_roles ours ON ours.rolname = current_user
    ORDER BY other.xact_start NULLS LAST
""")  # noqa: S608  # constants of this file
_IDLE = text(f"""
    SELECT {_COLUMNS} FROM pg_stat_activity other
    WHERE datname = current_database() AND state LIKE 'idle in transaction%'
      AND clock_timestamp() - state_change > :idle AND pid <> pg_backend_pid()
    ORDER BY xact_start
""")  # noqa: S608  # constants of this file
_LIMITED = text("""
    SELECT 1 FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase
    WHERE datname = current_database() AND setrole = 0
      AND EXISTS (SELECT 1 FROM unnest(setconfig) AS one WHERE one LIKE 'idle_in_transaction_session_timeout=%')
""")
_MISSING_PRIVILEGES = text("""
    SELECT one FROM unnest(ARRAY['pg_read_all_stats', 'pg_signal_backend']) AS one
    WHERE NOT pg_has_role(one::name, 'USAGE')
""")


@dataclass(frozen=True, slots=True)
class DatabaseSession:
    """A session of the database: its program and user, and since when its transaction is open, if our role may know."""

    pid: int
    user: str
    program: str
    state: str | None
    since: datetime | None

    def __str__(self) -> str:
        name = f"session {self.pid} ({self.program or 'no name'}, user {self.user})"
        if self.state is None or self.since is None:
            return f"{name}, whose state this role may not see"
        return f"{name}, {self.state} since {self.since:%H:%M:%S} UTC"


@dataclass(frozen=True, slots=True)
class BlockingSession:
    """A session that keeps programs of ours, by their application names, waiting for a lock."""

    session: DatabaseSession
    waiting: tuple[str, ...]
    unchanged_for: timedelta | None  # None: our role may not see its state
    is_superuser: bool
    may_be_ended: bool

    @property
    def grace(self) -> timedelta | None:
        """For how long it may do what it does; None is without end: a statement of ours ends by itself."""
        is_ours = self.session.program.startswith(_OURS)
        if (self.session.state or "").startswith("idle in transaction"):
            return FROZEN_GRACE if is_ours else IDLE_GRACE
        return None if is_ours else BUSY_GRACE


def find_blocking(connection: Connection) -> list[BlockingSession]:
    """Return the sessions that keep one of ours waiting for a lock, the oldest transaction first."""
    return [
        BlockingSession(DatabaseSession(*row[:5]), tuple(row[5]), *row[6:]) for row in connection.execute(_BLOCKING)
    ]


def list_idle(connection: Connection, idle: timedelta) -> list[DatabaseSession]:
    """Return the sessions that have done nothing in an open transaction for `idle`, the oldest transaction first.

    Other roles' sessions are among them only if our role may see their state.
    """
    return [DatabaseSession(*row) for row in connection.execute(_IDLE, {"idle": idle})]


def find_missing_grant(connection: Connection) -> str | None:
    """Return the statement that lets our role see and end the sessions of other roles, or None if it may."""
    missing = connection.execute(_MISSING_PRIVILEGES).scalars().all()
    if not missing:
        return None
    role = connection.execute(text("SELECT current_user")).scalar_one()
    return f"GRANT {', '.join(missing)} TO {connection.dialect.identifier_preparer.quote(role)}"


def limit_idle_transactions(connection: Connection) -> None:
    """Make the server end every session that is idle in a transaction for IDLE_LIMIT, unless the database has a limit.

    Raise ProgrammingError unless our role owns the database.
    """
    if connection.execute(_LIMITED).first() is None:
        name = connection.dialect.identifier_preparer.quote(
            connection.execute(text("SELECT current_database()")).scalar_one()
        )
        limit_ms = IDLE_LIMIT // timedelta(milliseconds=1)
        connection.execute(text(f"ALTER DATABASE {name} SET idle_in_transaction_session_timeout = {limit_ms}"))
