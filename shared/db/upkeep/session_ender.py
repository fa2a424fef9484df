"""Ends the sessions that keep our statements waiting for a lock, in a thread and on a connection of its own.

An open transaction in psql must not stop an exit. A session that is idle in its transaction is ended after a grace, and
so is a program of ours that was frozen in one: its work is rolled back, and the worker that claims the job next does it
again. The thread takes no lock itself, so what it ends cannot keep it waiting.
"""

import logging
import threading
from datetime import timedelta
from types import TracebackType
from typing import Self

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from shared.clock import monotonic
from shared.db.engine import DATABASE_ERRORS, make_engine
from shared.db.upkeep.blocking_sessions import BlockingSession, find_blocking, find_missing_grant

log = logging.getLogger(__name__)

_EVERY_S = 0.4
_STATEMENT_TIMEOUT_S = 5.0
_END_S = 5.0  # the longest wait for the thread's end, when Postgres does not answer
_FORGET_AFTER_S = 10.0  # a session that blocks none of ours for so long blocks anew
_END = text("SELECT pg_terminate_backend(:pid)")


class SessionEnder:
    """Ends, while its block runs, the sessions that keep a program of ours waiting for a lock past their grace.

    The log names each session that was ended, and once each that may not be. `holders` are the sessions that kept
    `program` itself waiting when it last waited.
    """

    def __init__(self, url: str, program: str) -> None:
        self.holders: list[BlockingSession] = []
        self._engine = make_engine(url, program=program, pool_size=1, statement_timeout_s=_STATEMENT_TIMEOUT_S)
        self._program = f"tickwork {program}"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="session ender", daemon=True)
        self._seen: dict[int, tuple[float, float]] = {}  # when a session was first and last seen to block, by pid
        self._refused: set[int] = set()
        self._has_failed = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(_END_S)
        self._engine.dispose()

    def _run(self) -> None:
        while not self._stopping.wait(_EVERY_S):
            try:
                self._end_blocking()
            except DATABASE_ERRORS as error:
                if not self._has_failed:
                    log.warning("cannot look for sessions that hold locks, trying again: %s", error)
                self._has_failed = True
            else:
                self._has_failed = False

    def _end_blocking(self) -> None:
        with self._engine.connect() as connection:
            found = find_blocking(connection)
        self.holders = [one for one in found if self._program in one.waiting] or self.holders
        now = monotonic()
        self._seen = {pid: seen for pid, seen in self._seen.items() if now - seen[1] < _FORGET_AFTER_S}
        self._refused &= self._seen.keys()
        for one in found:
            first, _ = self._seen.get(one.session.pid, (now, now))
            self._seen[one.session.pid] = first, now
            if _is_past_grace(one, timedelta(seconds=now - first)):
                self._end(one)

    def _end(self, one: BlockingSession) -> None:
        waiting = ", ".join(one.waiting)
        if one.may_be_ended:
            try:
                with self._engine.begin() as connection:
                    connection.execute(_END, {"pid": one.session.pid})
            except ProgrammingError as error:  # it has become another role's
                log.warning("%s could not be ended: %s", one.session, error)
            else:
                log.warning("ended, as %s waited for its locks: %s", waiting, one.session)
        elif one.session.pid not in self._refused:
            self._refused.add(one.session.pid)
            log.error("%s waits for its locks: %s. %s", waiting, one.session, self._describe_remedy(one))

    def _describe_remedy(self, one: BlockingSession) -> str:
        with self._engine.connect() as connection:
            return describe_remedy(one, find_missing_grant(connection))


def describe_remedy(one: BlockingSession, missing_grant: str | None) -> str:
    """Return what a person can do about a session that our role may not end."""
    if one.is_superuser:
        return "Only a superuser may end it: commit or roll back there"
    grant = f", and run `{missing_grant}` as a superuser" if missing_grant else ""
    return f"This role may not end it: commit or roll back there{grant}"


def _is_past_grace(one: BlockingSession, seen_for: timedelta) -> bool:
    unchanged_for = seen_for if one.unchanged_for is None else one.unchanged_for
    return one.grace is not None and unchanged_for > one.grace
