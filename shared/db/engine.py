"""Pooled connections to Postgres; an engine connects on first use."""

import logging
import os
import select
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    DataError,
    DisconnectionError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)

from shared.db.connect import network_limits

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

# Postgres cannot be reached or refuses a statement: errors of SQLAlchemy, and of psycopg used directly.
DATABASE_ERRORS = (SQLAlchemyError, psycopg.Error)
# After these errors it is unknown whether a commit happened.
CONNECTION_ERRORS = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)


def is_rolled_back(error: BaseException) -> bool:
    """Whether Postgres has certainly rolled the transaction back: it gave up a wait for a lock, or found a deadlock."""
    found = getattr(error, "orig", error)
    return isinstance(found, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected)


def is_lock_timeout(error: BaseException) -> bool:
    """Whether a statement gave up its wait for a lock: it did nothing, and its transaction is rolled back."""
    return isinstance(getattr(error, "orig", error), psycopg.errors.LockNotAvailable)


def is_cancelled(error: BaseException) -> bool:
    """Whether Postgres has cancelled a statement, as after its time limit: its transaction is rolled back."""
    return isinstance(getattr(error, "orig", error), psycopg.errors.QueryCanceled)


@contextmanager
def suppress_lock_timeout(consequence: str) -> Iterator[None]:
    """End the block quietly when a statement in it gave up its wait for a lock; the log names the `consequence`."""
    try:
        yield
    except (OperationalError, psycopg.errors.LockNotAvailable) as error:
        if not is_lock_timeout(error):
            raise
        log.warning("rows are locked: %s", consequence)


def limit_lock_wait(connection: Connection, wait: timedelta) -> None:
    """Let no statement of this transaction wait longer than `wait` for a lock."""
    connection.execute(text("SELECT set_config('lock_timeout', :wait, true)"), {"wait": f"{wait.total_seconds()}s"})


# The row violates the schema.
UNFIT_ERRORS = (DataError, IntegrityError)


def _to_psycopg_url(url: str) -> URL:
    """Return `url` with the driver psycopg 3."""
    return make_url(url).set(drivername="postgresql+psycopg")


# No statement waits longer for a lock: a job is rescheduled and a command says who holds the lock. The relay has ended
# a session that sits in a transaction by then.
LOCK_TIMEOUT_S = 5.0


def _engine_options(url: str, program: str, pool_size: int, limits_s: Mapping[str, float | None]) -> dict[str, Any]:
    """Return the options of every engine; `limits_s` are time limits by Postgres' names for them."""
    limits = [f" -c {name}={int(limit_s * 1000)}" for name, limit_s in limits_s.items() if limit_s is not None]
    settings = f"-c timezone=UTC{''.join(limits)}"
    return {
        "pool_size": pool_size,
        "max_overflow": 2,
        "pool_timeout": 5,
        "hide_parameters": True,  # a signing secret is one: it must not stand in an error's text or a traceback
        "connect_args": network_limits(url) | {"application_name": f"tickwork {program}", "options": settings},
    }


def make_engine(
    url: str,
    *,
    program: str,
    pool_size: int = 4,
    statement_timeout_s: float | None = None,
    lock_timeout_s: float | None = LOCK_TIMEOUT_S,
    idle_timeout_s: float | None = None,
    idle_in_transaction_timeout_s: float | None = None,
) -> Engine:
    """Return an engine on `url`; `pg_stat_activity` lists its connections as `tickwork PROGRAM`.

    Postgres ends the session of a program that sends no statement for `idle_timeout_s`, as when it is frozen, or for
    `idle_in_transaction_timeout_s` within a transaction.
    """
    limits_s = {
        "statement_timeout": statement_timeout_s,
        "lock_timeout": lock_timeout_s,
        "idle_session_timeout": idle_timeout_s,
        "idle_in_transaction_session_timeout": idle_in_transaction_timeout_s or idle_timeout_s,
    }
    options = _engine_options(url, program, pool_size, limits_s)
    engine = create_engine(_to_psycopg_url(url), **options)
    event.listen(engine, "do_connect", connect_unforked)
    event.listen(engine, "checkout", drop_if_dead)
    return engine


def make_async_engine(
    url: str,
    *,
    program: str,
    pool_size: int = 4,
    statement_timeout_s: float | None = None,
    idle_in_transaction_timeout_s: float | None = None,
) -> "AsyncEngine":
    """Return the asyncio form of `make_engine`.

    Postgres rolls back the transaction of a program that is frozen in it after `idle_in_transaction_timeout_s`.
    """
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415  # costs a fifth of a second

    limits_s = {
        "statement_timeout": statement_timeout_s,
        "lock_timeout": LOCK_TIMEOUT_S,
        "idle_in_transaction_session_timeout": idle_in_transaction_timeout_s,
    }
    engine = create_async_engine(_to_psycopg_url(url), **_engine_options(url, program, pool_size, limits_s))
    event.listen(engine.sync_engine, "checkout", drop_if_dead)
    return engine


# libpq uses OpenSSL when it connects. A process forked while another thread is in OpenSSL inherits locks that no thread
# of the child will release: its first connect would wait for ever. So a fork waits for connects, each at most 5 s.
_connecting = threading.Lock()
os.register_at_fork(before=_connecting.acquire, after_in_parent=_connecting.release, after_in_child=_connecting.release)


def connect_unforked(dialect: Any, _: object, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:  # noqa: ANN401  # SQLAlchemy's event
    """Connect with the lock that keeps this process from forking."""
    with _connecting:
        return dialect.connect(*arguments, **options)


@contextmanager
def autocommit(engine: Engine) -> Iterator[Connection]:
    """Connect in autocommit mode: each statement is its own transaction, in one round trip without BEGIN and COMMIT."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Connect in a transaction whose reads all see one state of the database: no commit between two of them shows."""
    with (
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
        connection.begin(),
    ):
        yield connection


async def ping(connection: "AsyncConnection") -> None:
    """Return once Postgres has answered."""
    await connection.execute(text("SELECT 1"))


async def listen(connection: "AsyncConnection", channel: LiteralString) -> psycopg.AsyncConnection[Any]:
    """Listen to a channel, outside of any transaction; return the driver's connection, which has the notifications."""
    await connection.execution_options(isolation_level="AUTOCOMMIT")
    await connection.execute(text(f"LISTEN {channel}"))
    found: psycopg.AsyncConnection[Any] = (await connection.get_raw_connection()).driver_connection  # type: ignore[assignment]  # typed as Any | None
    return found


def driver(connection: Connection) -> psycopg.Connection[Any]:
    """Return the psycopg connection below, in the same transaction."""
    found: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # typed as Any | None
    return found


def is_dead(descriptor: int) -> bool:
    """Whether the server has closed an idle connection: only then is there data to read, apart from rare notices.

    A restart of the server must cost a reconnect and not an error, and a ping before each use would cost a round trip.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def drop_if_dead(_: object, record: Any, __: object) -> None:  # noqa: ANN401  # SQLAlchemy's event
    """Make the pool reconnect if the server has closed this connection."""
    connection = record.driver_connection
    if connection.closed or is_dead(connection.fileno()):
        raise DisconnectionError("the server closed the connection")
