"""A worker's heartbeat: its main loop touches a file, so that a hung loop is noticed."""

import threading
from typing import Any

from celery import bootsteps

from shared.clock import monotonic
from shared.heartbeat import touch, touch_waiting

_TOUCH_EVERY_S = 2.0
_STARTING_S = 30.0  # what a start may take on a busy computer before a missing broker counts

_is_consuming = threading.Event()
_consumes_since: float | None = None
_lost_at: float | None = None  # when this process lost its broker, if it does not consume


def seconds_without_broker() -> float:
    """Return for how many seconds this worker has been without its broker, 0 or less while it consumes or starts."""
    global _lost_at  # noqa: PLW0603  # Celery gives the step below no other place
    if _lost_at is None:
        _lost_at = monotonic() + _STARTING_S
    return 0.0 if _consumes_since is not None else monotonic() - _lost_at


def seconds_connected() -> float:
    """Return for how many seconds this worker has been connected to its queues, 0 if it is not."""
    return 0.0 if _consumes_since is None else monotonic() - _consumes_since


class HeartbeatFile(bootsteps.StartStopStep):
    """Touches the heartbeat file from the worker's event loop while it is connected to its queues."""

    # The last step: an earlier one may wait for ever for a lost broker, and such a worker must not appear alive.
    requires = (
        "celery.worker.consumer.tasks:Tasks",
        "celery.worker.consumer.heart:Heart",
        "celery.worker.consumer.control:Control",
    )

    def __init__(self, consumer: Any, **_: Any) -> None:  # noqa: ANN401  # Celery's consumer has no type
        self._timers: list[Any] = []
        super().__init__(consumer)

    def start(self, consumer: Any) -> None:  # noqa: ANN401  # as above
        """Start touching the file and checking for ended child processes."""
        global _consumes_since  # noqa: PLW0603  # Celery builds this step, and builds it again after each loss
        _consumes_since = monotonic()
        _is_consuming.set()
        touch()
        self._timers = [
            consumer.timer.call_repeatedly(_TOUCH_EVERY_S, touch),
            # Celery checks for ended processes every 5 s, and on a signal, which often comes a moment too early.
            consumer.timer.call_repeatedly(0.25, consumer.pool.maintain_pool),
        ]

    def stop(self, consumer: Any) -> None:  # noqa: ANN401, ARG002  # as above
        """Let the file grow old, and show in it that this worker waits for its broker, or for its last jobs."""
        global _consumes_since, _lost_at  # as above
        if _consumes_since is not None:  # Celery also stops a step that never started
            _consumes_since, _lost_at = None, monotonic()
            _is_consuming.clear()
            threading.Thread(target=_touch_until_consuming, name="waiting heartbeat", daemon=True).start()
        for timer in self._timers:
            timer.cancel()


def _touch_until_consuming() -> None:
    while not _is_consuming.wait(_TOUCH_EVERY_S):
        touch_waiting()
