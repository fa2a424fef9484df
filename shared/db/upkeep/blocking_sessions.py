"""Sessions that keep our statements waiting for a lock: finds them, and ends those that only sit there.

An open transaction in psql must not stop an exit. A session that is idle in its transaction is ended after a grace, and
so is a program of ours that was frozen in one; its work is rolled back, and done again by the worker that reclaims it.
Source of the columns: PostgreSQL's pages on pg_stat_activity and pg_blocking_pids.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError

log = logging.getLogger(__name__)

IDLE_GRACE = timedelta(seconds=1)  # of a person's session that does nothing in its transaction
FROZEN_GRACE = timedelta(seconds=4)  # of one of our programs
BUSY_GRACE = timedelta(seconds=3)  # of a person's statement that runs; less than our programs wait for a lock
# For the server itself: no session sits in a transaction for longer, whether it blocks one of ours or not.
IDLE_LIMIT = timedelta(seconds=60)

_OURS = "tickwork %"
_COLUMNS = """
    other.pid, other.usename, other.application_name, other.state, other.xact_start
"""
_BLOCKING = text(f"""
    WITH waiting AS MATERIALIZED (
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE '{_OURS}' AND wait_event_type = 'Lock'
    ), blocking AS MATERIALIZED (
        SELECT DISTINCT unnest(pg_blocking_pids(pid)) AS pid FROM waiting
    )
    SELECT {_COLUMNS} FROM blocking JOIN pg_stat_activity other USING (pid)
    WHERE clock_timestamp() - other.state_change > CASE
        WHEN other.state NOT LIKE 'idle in transaction%' THEN
            CASE WHEN other.application_name LIKE '{_OURS}' THEN NULL ELSE :busy END
        WHEN other.application_name LIKE '{_OURS}' THEN :frozen
        ELSE :idle END
""")  # noqa: S608  # constants of this file
_IDLE = text(f"""
    SELECT {_COLUMNS} FROM pg_stat_activity other
    WHERE datname = current_database() AND state LIKE 'idle in transaction%'
      AND clock_timestamp() - state_change > :idle AND pid <> pg_backend_pid()
    ORDER BY xact_start
""")  # noqa: S608  # constants of this file
_END = text("SELECT pg_terminate_backend(:pid)")
_LIMITED = text("""
    SELECT 1 FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase
    WHERE datname = current_database() AND setrole = 0
      AND EXISTS (SELECT 1 FROM unnest(setconfig) AS one WHERE one LIKE 'idle_in_transaction_session_timeout=%')
""")


@dataclass(frozen=True, slots=True)
class DatabaseSession:
    """A session of the database: its program and user, and since when its transaction is open."""

    pid: int
    user: str
    program: str
    state: str
    since: datetime

    def __str__(self) -> str:
        return (
            f"session {self.pid} ({self.program or 'no name'}, user {self.user}), {self.state} since "
            f"{self.since:%H:%M:%S} UTC"
        )


def find_blocking(
    connection: Connection,
    *,
    idle: timedelta = IDLE_GRACE,
    frozen: timedelta = FROZEN_GRACE,
    busy: timedelta = BUSY_GRACE,
) -> list[DatabaseSession]:
    """Return the sessions that keep one of ours waiting for a lock, and are past their grace."""
    rows = connection.execute(_BLOCKING, {"idle": idle, "frozen": frozen, "busy": busy})
    return [DatabaseSession(*row) for row in rows]


def list_idle(connection: Connection, idle: timedelta) -> list[DatabaseSession]:
    """Return the sessions that have done nothing in an open transaction for `idle`, the longest first."""
    return [DatabaseSession(*row) for row in connection.execute(_IDLE, {"idle": idle})]


def end_blocking(engine: Engine) -> None:
    """End the sessions that keep one of ours waiting for a lock, and are past their grace; the log names each."""
    with engine.connect() as connection:
        found = find_blocking(connection)
    for session in found:
        try:
            with engine.begin() as connection:
                connection.execute(_END, {"pid": session.pid})
            log.warning("ended, as programs waited for its locks: %s", session)
        except ProgrammingError:
            log.error("programs wait for its locks, and this role may not end it: %s", session)  # noqa: TRY400  # its traceback says no more


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
