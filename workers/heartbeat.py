"""A worker's sign of life: its main loop touches a file, so that a wedged loop shows."""

from typing import Any

from celery import bootsteps

from shared.heartbeat import touch


class HeartbeatFile(bootsteps.StartStopStep):
    """Touches the heartbeat file from the worker's event loop while it is connected to its queues."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **_: Any) -> None:  # noqa: ANN401  # Celery's consumer has no type
        self._entry: Any = None
        super().__init__(consumer)

    def start(self, consumer: Any) -> None:  # noqa: ANN401  # as above
        """Begin to touch."""
        touch()
        self._entry = consumer.timer.call_repeatedly(2, touch)

    def stop(self, consumer: Any) -> None:  # noqa: ANN401, ARG002  # as above
        """Stop touching; the file grows old."""
        if self._entry is not None:
            self._entry.cancel()
