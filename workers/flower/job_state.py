"""What Flower keeps of the events: how each job ended by its row, whatever order the events arrive in."""

from typing import Any

from celery.events.state import Task
from celery.states import RETRY
from flower.events import EventsState

_ENDS = frozenset({"succeeded", "failed", "retried", "revoked", "denied", "expired"})


class JobTask(Task):
    """A job as Flower shows it. The newest end that is known counts: each process sends its events when it can."""

    _ended_at = 0.0

    def event(self, type_: str | None, timestamp: float | None = None, *more: Any, **options: Any) -> None:  # noqa: ANN401  # Celery's
        """Take an event in; one that is older than the known end changes no state."""
        at = timestamp or 0.0
        is_late = at < self._ended_at
        known = {"state": self.state, "timestamp": self.timestamp}
        if is_late and type_ in _ENDS:
            return
        if type_ in _ENDS:
            self._ended_at = at
            self.exception = self.traceback = self.result = None
            self.state = RETRY  # any state may follow it
        super().event(type_, timestamp, *more, **options)
        if is_late:
            self.__dict__.update(known)


class JobsState(EventsState):  # type: ignore[misc]  # it has no types
    """The events of the workers, without what Celery by itself says of an end: it knows a lost process, not the job."""

    Task = JobTask

    def event(self, event: dict[str, Any]) -> None:
        """Take an event in."""
        group, _, subject = event["type"].partition("-")
        if group != "task" or subject not in _ENDS or "name" in event:
            super().event(event)
