"""Renews the leases of a worker's children from the parent process, and gives back what a lost child ran."""

import logging
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from shared.clock import monotonic
from shared.ledger import rows
from workers.deadline import last_words

log = logging.getLogger(__name__)

RENEW_EVERY_S = 3.0
LOOK_EVERY_S = 0.25


class LeaseKeeper(threading.Thread):
    """Outlives a child stuck in C code, and notices at once when one is gone."""

    def __init__(self, engine: Engine, node: str, children: Callable[[], set[int]], tracebacks: Path) -> None:
        super().__init__(name="lease keeper", daemon=True)
        self._engine = engine
        self._node = node
        self._children = children
        self._tracebacks = tracebacks
        self._stopping = threading.Event()
        self._lost: set[int] = set()  # gone, and not yet given back

    def run(self) -> None:
        """Keep leases until stopped; a worker that cannot must not go on claiming jobs, so it ends."""
        try:
            self._keep()
        except Exception:
            log.exception("leases are not kept any more, this worker ends")
            os.kill(os.getpid(), signal.SIGTERM)

    def _keep(self) -> None:
        """Look for lost children four times a second and renew every three seconds."""
        alive: set[int] = set()
        renewed_at = -RENEW_EVERY_S
        while not self._stopping.wait(LOOK_EVERY_S):
            seen = self._children()
            self._lost |= alive - seen
            alive = seen
            is_renewal_due = monotonic() - renewed_at >= RENEW_EVERY_S
            if not self._lost and not is_renewal_due:
                continue
            try:
                self._give_back_lost()
                if is_renewal_due:
                    with self._engine.begin() as connection:
                        rows.renew(connection, [self._worker(pid) for pid in alive])
                    renewed_at = monotonic()
            except SQLAlchemyError as error:
                log.warning("leases of %s not renewed, trying again: %s", self._node, error)

    def _give_back_lost(self) -> None:
        for pid in sorted(self._lost):
            words = last_words(self._tracebacks, self._worker(pid))
            reason = f"worker process {pid} was lost" + (f"; its last stack:\n{words}" if words else "")
            with self._engine.begin() as connection:
                given_back = rows.give_back(connection, self._worker(pid), reason)
            if given_back:
                log.warning("child %s was lost with %s job(s), given back", pid, given_back)
            self._lost.discard(pid)

    def _worker(self, pid: int) -> str:
        return f"{self._node}/{pid}"

    def stop(self) -> None:
        """End the thread; leases then end by themselves."""
        self._stopping.set()
