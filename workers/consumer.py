"""Celery's consumer, which looks for a lost broker more often."""

import logging
from typing import Any

from celery.worker.consumer import consumer
from celery.worker.state import maybe_shutdown

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGER_BY_S, LONGEST_PAUSE_S = 0.2, 0.2, 1.0


class Consumer(consumer.Consumer):
    """Tries again within a second, where Celery's own pauses of 2, 4, 6 ... s make a short outage a long one."""

    def ensure_connected(self, conn: Any) -> Any:  # noqa: ANN401  # kombu's connection has no type
        """Return the connection once it stands; a shutdown asked for meanwhile ends the wait."""
        connected = conn.ensure_connection(
            _note,
            interval_start=FIRST_PAUSE_S,
            interval_step=LONGER_BY_S,
            interval_max=LONGEST_PAUSE_S,
            callback=maybe_shutdown,
        )
        self.first_connection_attempt = False
        return connected


def _note(error: Exception, pause_s: float) -> None:
    log.warning("no broker, trying again in %.1f s: %s", pause_s, error)
