"""Celery's consumer, which survives the loss of its broker, looks for it more often, and tells Flower in batches."""

import logging
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import consumer
from celery.worker.state import maybe_shutdown

from shared.clock import monotonic

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGER_BY_S, LONGEST_PAUSE_S = 0.2, 0.2, 1.0
EVENTS_EVERY_S = 0.25


class Consumer(consumer.Consumer):
    """Tries again within a second, where Celery's own pauses of 2, 4, 6 ... s make a short outage a long one."""

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc, valid-type]  # typed as a variable
        """The steps of its start; Celery would keep twenty-eight queues on RabbitMQ for delayed messages."""

        default_steps = tuple(step for step in consumer.Consumer.Blueprint.default_steps if "delayed" not in step)

    connection_errors: tuple[type[Exception], ...]
    hub: Any  # kombu's event loop
    _flush_events: Callable[[], None]

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  # Celery's signature
        super().__init__(*args, **options)
        # Kombu 5.7.0 fails with an AttributeError when a job that outlived its connection is acknowledged, or when the
        # messages of a connection are given back through it; Celery would call that unrecoverable and end the worker.
        # Redis, or the ledger, has such a job done all the same.
        self.connection_errors = (*self.connection_errors, AttributeError)
        self._events_told_at = 0.0

    def on_send_event_buffered(self) -> Any:  # noqa: ANN401  # Celery's signature
        """Tell what happened a little later, together: Celery would publish before it hands a job to its process."""
        now = monotonic()
        if self.hub and now >= self._events_told_at:  # a timer that a lost connection took along costs one round
            self._events_told_at = now + EVENTS_EVERY_S
            self.hub.call_later(EVENTS_EVERY_S, self._flush_events)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Close the lost connection as far as it can be closed; what Flower is still to be told is kept."""
        self._flush_events()
        try:
            super().on_connection_error_after_connected(exc)
        except AttributeError as error:  # as above
            log.warning("the lost connection could not be closed: %s", error)

    def ensure_connected(self, conn: Any) -> Any:  # noqa: ANN401  # kombu's connection has no type
        """Return the connection once it snapshots; a shutdown asked for meanwhile ends the wait."""
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
