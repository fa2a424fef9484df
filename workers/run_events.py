"""The events for Flower that Celery does not send: of follow-up jobs, of a backlog, and of jobs lost in their run."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from celery import Celery
from celery.utils.saferepr import saferepr

from shared.clock import monotonic
from shared.ledger.jobs import job_names_with
from shared.ledger.recovery import LostJob
from workers.runner import Run

log = logging.getLogger(__name__)

_MOST_IN_MESSAGE = 1_000
SEND_EVERY_S = 0.25
# A job may be claimed while events are sent: a broker that does not answer keeps it waiting no longer than this.
_WAIT_S: Final = 0.5
_LIMITS: Final = {
    "socket_timeout": _WAIT_S,
    "socket_connect_timeout": _WAIT_S,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
}
_PAUSE_S: Final = 5.0  # after a failure; the events of that time are lost
_TYPES = {
    "rescheduled": "task-retried",
    "queued": "task-retried",
    "failed": "task-failed",
    "dead": "task-failed",
    "expired": "task-failed",
}


@dataclass(frozen=True, slots=True)
class _Shown:
    """A run as Flower shows it; times in seconds."""

    uuid: str
    name: str
    state: str
    result: object
    error: str | None
    began: float
    seconds: float


class RunEvents:
    """Collects the runs of one process, and sends their events together when its slot becomes free."""

    def __init__(self, app: Celery, node: str) -> None:
        self._app = app
        self._node = node
        self._probes = frozenset(job_names_with("is_probe"))
        self._runs: list[Run] = []
        self._sent_at = 0.0
        self._dispatcher: Any = None
        self._paused_until = 0.0

    def add(self, run: Run) -> None:
        """Keep a run; those of probes and duplicates have no events."""
        if run.job.name not in self._probes and run.outcome.state != "duplicate":
            self._runs.append(run)

    def send_before_next(self) -> None:
        """Send what is kept before another job runs, if that is not new: its process may die with what it knows."""
        if monotonic() - self._sent_at > SEND_EVERY_S:
            self._send_kept()

    def _send_kept(self) -> None:
        runs, self._runs, self._sent_at = self._runs, [], monotonic()
        if runs:
            self._send([_show(run) for run in runs])

    def send_lost(self, jobs: Sequence[LostJob]) -> None:
        """Send the events of runs that ended with their process."""
        self._send([_show_lost(job) for job in jobs if job.name not in self._probes])

    @contextmanager
    def send_all_but(self, first: UUID) -> Iterator[None]:
        """Send the events of all runs in the body, but for those of the job whose events the worker sends itself."""
        try:
            yield
        finally:
            self._runs = [run for run in self._runs if run.job.id != first or run.outcome.state == "cancelled"]
            self._send_kept()

    def _send(self, runs: list[_Shown]) -> None:
        if monotonic() < self._paused_until:
            return
        try:
            dispatcher = self._dispatcher = self._dispatcher or self._open()
            for run in runs:
                for type_, fields in _events_of(run):
                    dispatcher.send(type_, **fields)
            dispatcher.flush()
        except Exception as error:  # noqa: BLE001  # a lost broker shows as almost anything, and costs only a display
            log.warning("the events of %s job(s) did not reach Flower: %s", len(runs), error)
            self._paused_until = monotonic() + _PAUSE_S
            self._close()

    def _open(self) -> Any:  # noqa: ANN401  # Celery's dispatcher has no type
        return self._app.events.Dispatcher(
            self._app.connection_for_write(connect_timeout=_WAIT_S, transport_options=_LIMITS),
            hostname=self._node,
            buffer_while_offline=False,
            buffer_group=frozenset({"task"}),
            buffer_limit=_MOST_IN_MESSAGE,
        )

    def _close(self) -> None:
        dispatcher, self._dispatcher = self._dispatcher, None
        if dispatcher is not None:
            with suppress(Exception):  # as above
                dispatcher.connection.release()


def _show(run: Run) -> _Shown:
    outcome, began = run.outcome, run.began_at.timestamp()
    return _Shown(str(run.job.id), run.job.name, outcome.state, outcome.result, outcome.error, began, run.seconds)


def _show_lost(job: LostJob) -> _Shown:
    began, seconds = job.began_at.timestamp(), job.ran_for.total_seconds()
    return _Shown(str(job.id), job.name, job.state, None, job.error, began, seconds)


def _events_of(run: _Shown) -> Iterator[tuple[str, dict[str, object]]]:
    uuid, began = run.uuid, run.began
    name = {"uuid": uuid, "name": run.name, "args": f"('{uuid}',)", "kwargs": "{}", "root_id": uuid, "retries": 0}
    yield "task-received", name | {"timestamp": began}
    yield "task-started", {"uuid": uuid, "timestamp": began}
    fields: dict[str, object] = {"uuid": uuid, "timestamp": began + run.seconds}
    match run.state:
        case "succeeded":
            yield "task-succeeded", fields | {"result": saferepr(run.result), "runtime": run.seconds}
        case "cancelled":
            yield "task-revoked", fields | {"terminated": True, "signum": None, "expired": False}
        case state:
            error = f"{state}: {run.error}"
            yield _TYPES[state], fields | {"exception": error, "traceback": ""}
