"""What a Celery worker does, as its parent process counts it."""

from celery.worker import state


class CeleryActivity:
    """The wake-ups of this worker."""

    def running(self) -> int:
        """Return how many run now, or are about to."""
        return len(state.reserved_requests)

    def begun(self) -> int:
        """Return how many it has taken since its start."""
        return sum(state.total_count.values())
