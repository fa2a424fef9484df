"""The lease of the risk monitor: an advisory lock of its session, so that of several monitors one is active.

It ends with the session, and no transaction of an ended session commits. Postgres ends the session when the program
ends, and when it has sent nothing for IDLE_TIMEOUT, as a program that is frozen: no other holds the lease before.
"""

from datetime import timedelta

from sqlalchemy import Connection, Engine, text

from shared.db.engine import make_engine

IDLE_TIMEOUT = timedelta(seconds=4)  # longer than a run waits for Redis, which may not answer
_STATEMENT_TIMEOUT_S = 4.0
_LOCK_TIMEOUT_S = 0.5  # for rows that another session locks; what needs them waits for the next run
_ACQUIRE = text("SELECT pg_try_advisory_lock(hashtextextended('risk-monitor', 0))")


def make_monitor_engine(database_url: str, *, program: str) -> Engine:
    """Return the engine of a monitor, with one session at a time."""
    return make_engine(
        database_url,
        program=program,
        pool_size=1,
        statement_timeout_s=_STATEMENT_TIMEOUT_S,
        lock_timeout_s=_LOCK_TIMEOUT_S,
        idle_timeout_s=IDLE_TIMEOUT.total_seconds(),
    )


def try_acquire(connection: Connection) -> bool:
    """Acquire the lease for the session of this connection; return False while another session holds it."""
    return bool(connection.execute(_ACQUIRE).scalar_one())
