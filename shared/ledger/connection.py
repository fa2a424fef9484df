"""Connections kept open for the statements on every job's path: each commits by itself, in one round trip."""

import threading
from typing import Any

import psycopg
from sqlalchemy import Engine

from shared.db.engine import DATABASE_ERRORS, is_dead
from shared.errors import RetryableError

# A plan of one of these statements costs twice as much as its run, and would be made anew for each job.
_ONE_PLAN = "SET plan_cache_mode = force_generic_plan"


class LedgerUnavailableError(RetryableError):
    """Postgres could not be reached; no statement was sent."""


class AutocommitConnection:
    """One autocommit connection per thread, opened on first use and again when the server has closed it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._local = threading.local()
        self._all: list[psycopg.Connection[Any]] = []

    def open(self) -> psycopg.Connection[Any]:
        """Return this thread's connection; raise LedgerUnavailableError if Postgres cannot be reached."""
        connection: psycopg.Connection[Any] | None = getattr(self._local, "connection", None)
        if connection is not None:
            if not connection.closed and not is_dead(connection.fileno()):
                return connection
            connection.close()
            self._all.remove(connection)
            self._local.connection = None
        self._local.connection = connection = self._connect()
        self._all.append(connection)
        return connection

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            pooled = self._engine.raw_connection()
            connection: psycopg.Connection[Any] = pooled.driver_connection  # type: ignore[assignment]  # typed as Any | None
            pooled.detach()
            connection.autocommit = True
            connection.execute(_ONE_PLAN)
        except DATABASE_ERRORS as error:
            raise LedgerUnavailableError(f"Postgres does not answer: {error}") from error
        return connection

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._all:
            connection.close()
        self._all.clear()
