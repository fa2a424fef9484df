"""One connection kept open for the statements on every job's path: each commits by itself, in one round trip."""

import threading
from typing import Any

import psycopg
from sqlalchemy import Engine

from shared.db.engine import DATABASE_ERRORS, is_dead
from shared.errors import RetryableError


class LedgerUnavailableError(RetryableError):
    """Postgres could not be reached, and nothing was asked of it."""


class AutocommitConnection:
    """Connects as `engine` does, when first asked, and again when the server has hung up; every thread has its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._mine = threading.local()
        self._all: list[psycopg.Connection[Any]] = []

    def open(self) -> psycopg.Connection[Any]:
        """Return this thread's connection; raise LedgerUnavailableError when there is none to be had."""
        line: psycopg.Connection[Any] | None = getattr(self._mine, "line", None)
        if line is not None:
            if not line.closed and not is_dead(line.fileno()):
                return line
            line.close()
            self._all.remove(line)
        self._mine.line = line = self._connect()
        self._all.append(line)
        return line

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            pooled = self._engine.raw_connection()
        except DATABASE_ERRORS as error:
            self._mine.line = None
            raise LedgerUnavailableError(f"Postgres does not answer: {error}") from error
        line: psycopg.Connection[Any] = pooled.driver_connection  # type: ignore[assignment]  # typed as Any | None
        pooled.detach()
        line.autocommit = True
        return line

    def close(self) -> None:
        """Hang up, for all threads."""
        for line in self._all:
            line.close()
        self._all.clear()
