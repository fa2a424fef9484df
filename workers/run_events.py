"""The events by which Flower learns how jobs have ended, and of the jobs of which Celery knows nothing."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from celery import Celery
from celery.utils.saferepr import saferepr

from shared.clock import machine_now, monotonic
from shared.errors import HaltError
from shared.ledger.jobs import job_names_with
from shared.ledger.recovery import LostJob
from workers.recording import Outcome
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
_PAUSE_S: Final = 5.0  # after a failure
_MOST_KEPT: Final = 1_000  # runs whose events could not be sent
# Celery's types, and two of our own: Flower shows DENIED and EXPIRED, and counts neither as a failure.
DENIED, EXPIRED = "task-denied", "task-expired"
_TYPES: Final = {
    "succeeded": "task-succeeded",
    "cancelled": "task-revoked",
    "rescheduled": "task-retried",
    "unclaimed": "task-retried",
    "queued": "task-retried",
    "failed": DENIED,
    "halted": "task-failed",
    "dead": "task-failed",
    "expired": EXPIRED,
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
    is_announced: bool = False  # Celery has sent that it was received and started

    @property
    def type(self) -> str:
        """The type of the event of its end; a job to which a rule or the venue said no is no failure, a halt is one."""
        is_halt = self.state == "failed" and (self.error or "").partition(":")[0] in _list_halts(HaltError)
        return _TYPES["halted" if is_halt else self.state]


class RunEvents:
    """Collects the runs of one process, and sends their events together when its slot becomes free."""

    def __init__(self, app: Celery, node: str) -> None:
        self._app = app
        self._node = node
        self._probes = frozenset(job_names_with("is_probe"))
        self._runs: list[_Shown] = []
        self._announced: UUID | None = None
        self._sent_at = 0.0
        self._unsent: list[_Shown] = []
        self._dispatcher: Any = None
        self._paused_until = 0.0

    def add(self, run: Run) -> None:
        """Keep a run; those of probes and duplicates have no events."""
        if run.outcome.state != "duplicate":
            self._keep(run.job.id, run.job.name, run.outcome, run.began_at, run.seconds)

    def add_unrun(self, job_id: UUID, name: str, outcome: Outcome) -> None:
        """Keep the outcome of a wake-up whose job did not run here."""
        self._keep(job_id, name, outcome, machine_now(), 0.0)

    def _keep(self, job_id: UUID, name: str, outcome: Outcome, began_at: datetime, seconds: float) -> None:
        if name in self._probes:
            return
        result, error, is_announced = outcome.result, outcome.error, job_id == self._announced
        self._runs.append(
            _Shown(str(job_id), name, outcome.state, result, error, began_at.timestamp(), seconds, is_announced)
        )

    def send_before_next(self) -> None:
        """Send what is kept before another job runs, if that is not new: its process may die with what it knows."""
        if monotonic() - self._sent_at > SEND_EVERY_S:
            self._send_kept()

    def _send_kept(self) -> None:
        runs, self._runs = self._runs, []
        if runs:
            self._sent_at = monotonic()
            self._send(runs)

    def send_lost(self, jobs: Sequence[LostJob]) -> None:
        """Send the events of runs that ended with their process."""
        self._send([_show_lost(job) for job in jobs if job.name not in self._probes])

    @contextmanager
    def send_all(self, announced: UUID | None = None) -> Iterator[None]:
        """Send the events of all runs in the body; of the job that Celery has announced, only that of its end."""
        self._announced = announced
        try:
            yield
        finally:
            self._send_kept()
            self._announced = None

    def _send(self, runs: list[_Shown]) -> None:
        runs, self._unsent = [*self._unsent, *runs][-_MOST_KEPT:], []
        if monotonic() < self._paused_until:
            self._unsent = runs
            return
        try:
            dispatcher = self._dispatcher = self._dispatcher or self._open()
            for run in runs:
                for type_, fields in _events_of(run):
                    dispatcher.send(type_, **fields)
            dispatcher.flush()
        except Exception as error:  # noqa: BLE001  # a lost broker shows as almost anything, and costs only a display
            log.warning("the events of %s job(s) did not reach Flower, they are sent later: %s", len(runs), error)
            self._unsent = runs
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


def _show_lost(job: LostJob) -> _Shown:
    began, seconds = job.began_at.timestamp(), job.ran_for.total_seconds()
    return _Shown(str(job.id), job.name, job.state, None, job.error, began, seconds)


def _events_of(run: _Shown) -> Iterator[tuple[str, dict[str, object]]]:
    uuid, began = run.uuid, run.began
    # Also with the end: an event of Celery's own has no name, by which Flower tells them apart.
    name = {"uuid": uuid, "name": run.name, "args": f"('{uuid}',)", "kwargs": "{}", "root_id": uuid, "retries": 0}
    if not run.is_announced:
        yield "task-received", name | {"timestamp": began}
        yield "task-started", {"uuid": uuid, "timestamp": began}
    fields = name | {"timestamp": began + run.seconds}
    match run.type:
        case "task-succeeded":
            yield run.type, fields | {"result": saferepr(run.result), "runtime": run.seconds}
        case "task-revoked":
            yield run.type, fields | {"terminated": True, "signum": None, "expired": False}
        case type_:
            yield type_, fields | {"exception": f"{run.state}: {run.error}", "traceback": ""}


def _list_halts(kind: type[HaltError]) -> set[str]:
    """Return the names of the errors that halt, with which the error of a failed job begins."""
    return {kind.__name__}.union(*map(_list_halts, kind.__subclasses__()))
