"""The events for Flower of jobs that ran without a wake-up of their own: follow-up jobs, and those of a backlog."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from celery import Celery
from celery.utils.saferepr import saferepr

from shared.ledger.jobs import job_names_with
from workers.runner import Run

log = logging.getLogger(__name__)

_MOST_IN_MESSAGE = 1_000
_TYPES = {"rescheduled": "task-retried", "failed": "task-failed", "dead": "task-failed", "expired": "task-failed"}


class RunEvents:
    """Collects the runs of one child process, and sends their events together when its slot becomes free."""

    def __init__(self, app: Celery, node: str) -> None:
        self._app = app
        self._node = node
        self._probes = frozenset(job_names_with("is_probe"))
        self._runs: list[Run] = []
        self._dispatcher: Any = None

    def add(self, run: Run) -> None:
        """Keep a run; those of probes and duplicates have no events."""
        if run.job.name not in self._probes and run.outcome.state != "duplicate":
            self._runs.append(run)

    @contextmanager
    def send_all_but(self, first: UUID) -> Iterator[None]:
        """Send the events of all runs in the body, but for those of the job whose events the worker sends itself."""
        try:
            yield
        finally:
            runs, self._runs = [run for run in self._runs if run.job.id != first], []
            if runs:
                self._send(runs)

    def _send(self, runs: list[Run]) -> None:
        try:
            dispatcher = self._dispatcher = self._dispatcher or self._open()
            for run in runs:
                for type_, fields in _events_of(run):
                    dispatcher.send(type_, **fields)
            dispatcher.flush()
        except Exception as error:  # noqa: BLE001  # a lost broker shows as almost anything, and costs only a display
            log.warning("the events of %s job(s) did not reach Flower: %s", len(runs), error)
            self._dispatcher = None

    def _open(self) -> Any:  # noqa: ANN401  # Celery's dispatcher has no type
        return self._app.events.Dispatcher(
            self._app.connection_for_write(),
            hostname=self._node,
            buffer_while_offline=False,
            buffer_group=frozenset({"task"}),
            buffer_limit=_MOST_IN_MESSAGE,
        )


def _events_of(run: Run) -> Iterator[tuple[str, dict[str, object]]]:
    job, began = run.job, run.began_at.timestamp()
    uuid, ended = str(job.id), began + run.seconds
    name = {"uuid": uuid, "name": job.name, "args": f"('{uuid}',)", "kwargs": "{}", "root_id": uuid, "retries": 0}
    yield "task-received", name | {"timestamp": began}
    yield "task-started", {"uuid": uuid, "timestamp": began}
    fields: dict[str, object] = {"uuid": uuid, "timestamp": ended}
    match run.outcome.state:
        case "succeeded":
            yield "task-succeeded", fields | {"result": saferepr(run.outcome.result), "runtime": run.seconds}
        case "cancelled":
            yield "task-revoked", fields | {"terminated": True, "signum": None, "expired": False}
        case state:
            error = f"{state}: {run.outcome.error}"
            yield _TYPES[state], fields | {"exception": error, "traceback": ""}
