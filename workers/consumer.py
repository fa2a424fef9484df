"""A Celery consumer that survives the loss of its broker, reconnects sooner, and sends events to Flower in batches."""

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
    """Reconnects within a second, where Celery's own pauses of 2, 4, 6 ... s turn a short outage into a long one."""

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc, valid-type]  # typed as a variable
        """The start steps, without those for delayed messages, for which Celery keeps 28 queues on RabbitMQ."""

        default_steps = tuple(step for step in consumer.Consumer.Blueprint.default_steps if "delayed" not in step)

    connection_errors: tuple[type[Exception], ...]
    hub: Any  # kombu's event loop
    _flush_events: Callable[[], None]

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  # Celery's signature
        super().__init__(*args, **options)
        # Kombu 5.7.0 fails with an AttributeError when a job that outlived its connection is acknowledged, or when the
        # messages of a connection are returned through it; Celery would call that unrecoverable and end the worker.
        # The redelivery by Redis, or the ledger, still completes such a job.
        self.connection_errors = (*self.connection_errors, AttributeError)
        self._events_due_at = 0.0

    def on_send_event_buffered(self) -> Any:  # noqa: ANN401  # Celery's signature
        """Publish the events a little later, as a batch: Celery would publish before it sends a job to its process."""
        now = monotonic()
        if self.hub and now >= self._events_due_at:  # a timer lost with its connection costs one round
            self._events_due_at = now + EVENTS_EVERY_S
            self.hub.call_later(EVENTS_EVERY_S, self._flush_events)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Close the lost connection as far as possible; events that Flower has not received yet are kept."""
        self._flush_events()
        try:
            super().on_connection_error_after_connected(exc)
        except AttributeError as error:  # as above
            log.warning("the lost connection could not be closed: %s", error)

    def shutdown(self) -> None:
        """Publish the last events, whose timer ended with the event loop, and close what is open."""
        self._flush_events()
        super().shutdown()

    def ensure_connected(self, conn: Any) -> Any:  # noqa: ANN401  # kombu's connection has no type
        """Return the connection once it is open; a shutdown requested meanwhile ends the wait."""
        connected = conn.ensure_connection(
            _log_retry,
            interval_start=FIRST_PAUSE_S,
            interval_step=LONGER_BY_S,
            interval_max=LONGEST_PAUSE_S,
            callback=maybe_shutdown,
        )
        self.first_connection_attempt = False
        return connected


def _log_retry(error: Exception, pause_s: float) -> None:
    log.warning("no broker, trying again in %.1f s: %s", pause_s, error)
