"""Connections to Postgres, pooled; nothing connects before it is used."""

import os
import select
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    DataError,
    DisconnectionError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

# What says that Postgres could not be asked, or would not: through SQLAlchemy, or from psycopg itself.
DATABASE_ERRORS = (SQLAlchemyError, psycopg.Error)
# What leaves it open whether a commit happened.
CONNECTION_ERRORS = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)

# What says that a row cannot be kept as it is.
UNFIT_ERRORS = (DataError, IntegrityError)


def _driver_url(url: str) -> URL:
    """Return `url` for psycopg 3."""
    return make_url(url).set(drivername="postgresql+psycopg")


def _options(program: str, pool_size: int, statement_timeout_s: float | None) -> dict[str, Any]:
    """Return how every engine of ours connects."""
    settings = "-c timezone=UTC"
    if statement_timeout_s is not None:
        settings += f" -c statement_timeout={int(statement_timeout_s * 1000)}"
    return {
        "pool_size": pool_size,
        "max_overflow": 2,
        "pool_timeout": 5,
        "connect_args": {"application_name": f"tickwork {program}", "connect_timeout": 5, "options": settings},
    }


def make_engine(url: str, *, program: str, pool_size: int = 4, statement_timeout_s: float | None = None) -> Engine:
    """Return an engine on `url` whose connections Postgres lists under `program`."""
    engine = create_engine(_driver_url(url), **_options(program, pool_size, statement_timeout_s))
    event.listen(engine, "do_connect", connect_unforked)
    event.listen(engine, "checkout", drop_if_dead)
    return engine


def make_async_engine(
    url: str, *, program: str, pool_size: int = 4, statement_timeout_s: float | None = None
) -> "AsyncEngine":
    """Return the asyncio twin of `make_engine`; it checks a connection before each use: a sender gets no second try."""
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415  # costs a fifth of a second

    connecting = _options(program, pool_size, statement_timeout_s) | {"pool_pre_ping": True}
    return create_async_engine(_driver_url(url), **connecting)


# A process forked while another thread is within OpenSSL, which libpq asks when it connects, inherits its locks, which
# nobody holds then: the child's own first connect would wait for ever. So a fork waits for who connects, 5 s at most.
_connecting = threading.Lock()
os.register_at_fork(before=_connecting.acquire, after_in_parent=_connecting.release, after_in_child=_connecting.release)


def connect_unforked(dialect: Any, _: object, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:  # noqa: ANN401  # SQLAlchemy's event
    """Connect while nothing forks this process."""
    with _connecting:
        return dialect.connect(*arguments, **options)


@contextmanager
def autocommit(engine: Engine) -> Iterator[Connection]:
    """Connect so that each statement is a transaction by itself: one round trip, without BEGIN and COMMIT."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


def driver(connection: Connection) -> psycopg.Connection[Any]:
    """Return the psycopg connection below, with the same transaction."""
    found: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # typed as Any | None
    return found


def is_dead(descriptor: int) -> bool:
    """Whether the server has hung up on an idle connection: then, and else hardly ever, it has something to say.

    A restarted server must cost a reconnect and not an error, and asking each time would cost a round trip.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def drop_if_dead(_: object, record: Any, __: object) -> None:  # noqa: ANN401  # SQLAlchemy's event
    """Let the pool connect again instead of handing out a connection that the server has ended."""
    connection = record.driver_connection
    if connection.closed or is_dead(connection.fileno()):
        raise DisconnectionError("the server has hung up")
