"""The composition root of a worker: the Celery app, its tasks, and one runner per child process."""

import ctypes
import importlib
import logging
import os
import pkgutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import UUID

from celery import Celery, Task
from celery.exceptions import Ignore
from kombu import Exchange
from kombu import Queue as KombuQueue

import workers
from shared.config import Settings, load_settings
from shared.db.engine import DATABASE_ERRORS
from shared.errors import JobOutcomeUnknownError
from shared.fleets import BATCHED, FLEETS, Fleet, Queue
from shared.ledger.claims import Backlog
from shared.ledger.envelope import BATCH
from shared.ledger.jobs import job_names_with
from shared.ledger.publisher import is_amqp
from shared.ledger.publisher_amqp import quorum_queue
from shared.ledger.worker import Worker
from shared.log_setup import set_up_logging
from workers import cancellation
from workers.run_events import RunEvents
from workers.runner import Runner
from workers.task import TASKS
from workers.wiring import open_runner

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1


def import_tasks() -> None:
    """Register every task: import every module below workers/ except those of the feed, a program of its own."""
    for module in pkgutil.walk_packages(workers.__path__, "workers."):
        if not module.name.endswith("__main__") and not module.name.startswith("workers.feed."):
            importlib.import_module(module.name)


def make_app(settings: Settings, fleet: Fleet | None = None) -> Celery:
    """Return the Celery app of `fleet`, or one that knows every queue (for Flower)."""
    import_tasks()
    served = fleet.queues if fleet else tuple(Queue)
    name = fleet.name if fleet else "all"
    broker_url = settings.require_broker()
    app = Celery("tickwork", broker=broker_url, set_as_current=True)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        task_ignore_result=True,  # the ledger keeps results
        task_acks_late=True,  # with a prefetch of one: exactly one wake-up per slot
        worker_prefetch_multiplier=1,
        # After a reconnect Celery would fetch one message at a time, and a long job would idle the other slots.
        worker_enable_prefetch_count_reduction=False,
        task_create_missing_queues=False,
        task_default_queue=Queue.NORMAL.value,
        worker_consumer="workers.consumer:Consumer",
        broker_connection_retry_on_startup=True,
        broker_channel_error_retry=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_proc_alive_timeout=60,
        worker_lost_wait=0.5,  # the ledger knows whether a lost process had finished: its slot need not wait
        worker_max_tasks_per_child=5000,
        **(
            _rabbitmq_options(served, name)
            if is_amqp(broker_url)
            else _redis_options(served, name, fleet or FLEETS[-1])
        ),
    )
    probes = set(job_names_with("is_probe"))  # Flower keeps the last tasks: these would push out the others
    for job_name in TASKS:
        task = app.task(name=job_name, bind=True, send_events=job_name not in probes)
        task(_run_job)  # the runner has logged it
    for job_name in job_names_with("is_transactional"):
        app.task(name=job_name + BATCH, send_events=False)(_make_batch_task(job_name))
    return app


def _redis_options(served: Sequence[Queue], name: str, fleet: Fleet) -> dict[str, Any]:
    return {
        "task_queues": [KombuQueue(queue, Exchange("tickwork"), routing_key=queue) for queue in served],
        "broker_transport_options": {
            "priority_steps": [0],
            "queue_order_strategy": "priority",
            "visibility_timeout": int(fleet.visibility.total_seconds()),
            # Per fleet: among workers that share these keys the shortest visibility applies to all.
            "unacked_key": f"unacked:{name}",
            "unacked_index_key": f"unacked_index:{name}",
            "unacked_mutex_key": f"unacked_mutex:{name}",
            "unacked_mutex_expire": 15,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            "socket_timeout": 5,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 5,
            "client_name": f"worker-{name}",
        },
    }


def _rabbitmq_options(served: Sequence[Queue], name: str) -> dict[str, Any]:
    return {
        "task_queues": [quorum_queue(queue) for queue in served],
        "worker_detect_quorum_queues": True,  # they have no global prefetch limit, only one per queue
        "broker_heartbeat": 10,  # a broker or worker that hangs is disconnected after about twenty seconds
        "broker_connection_timeout": 3,
        "broker_transport_options": {"client_properties": {"connection_name": f"worker-{name}"}},
    }


def _make_batch_task(name: str) -> Callable[[str, int], dict[str, int]]:
    def run_batch(queue: str, most: int) -> dict[str, int]:
        """Run batches of up to `most` jobs of one name, while full batches are due."""
        with open_child_runner() as runner, _require_child().events.send_all():
            return runner.run_batch(name, Queue(queue), most)

    return run_batch


@contextmanager
def open_child_runner() -> Iterator[Runner]:
    """Yield the runner of this process of a pool, which ends when an outcome could not be recorded."""
    runner = _require_child().runner()
    try:
        yield runner
    except JobOutcomeUnknownError:
        log.exception("this process ends so that its parent releases the job")
        runner.calls.end()
        os._exit(os.EX_TEMPFAIL)


def _run_job(task: Task[Any, Any], job_id: str) -> None:
    """Claim and run one job of the ledger, then its follow-up jobs and the backlog of its queue.

    Celery sends the events that the first job was received and started, and `RunEvents` those of its end and of all
    other jobs: Celery's own events know no job that was denied. A wake-up of a job that another slot has run shows how
    that ended, and nothing while it still runs.
    """
    child = _require_child()
    delivery: Any = task.request.delivery_info
    queue = Queue(delivery["routing_key"])
    with open_child_runner() as runner, child.events.send_all(announced=UUID(job_id)):
        outcome = runner.run_and_drain(UUID(job_id), child.backlogs[queue])
        if outcome.state == "unclaimed":
            child.events.add_unrun(UUID(job_id), task.name, outcome)
        elif outcome.state == "duplicate" and (end := runner.read_end(UUID(job_id))) is not None:
            child.events.add_unrun(UUID(job_id), task.name, end)
    raise Ignore


class _Child:
    """One process of the pool, with one runner for all its jobs."""

    def __init__(self, settings: Settings, fleet: Fleet, worker: Worker, events: RunEvents) -> None:
        self._settings = settings
        self._fleet = fleet
        self._worker = worker.process(os.getpid())
        self.events = events
        self.backlogs = {queue: _backlog_of(fleet, queue) for queue in fleet.queues}
        self._open = ExitStack()  # never closed: its connections end with the process
        self._runner: Runner | None = None

    def runner(self) -> Runner:
        """Return the runner; connect first if that has not succeeded yet."""
        if self._runner is None:
            opening = open_runner(self._settings, self._worker, program=self._fleet.program)
            self._runner = self._open.enter_context(opening)
            self._runner.on_run, self._runner.on_next = self.events.add, self.events.send_before_next
        return self._runner


_child: _Child | None = None


def _require_child() -> _Child:
    if _child is None:
        raise RuntimeError("jobs run only in the processes of a worker's pool")
    return _child


def _backlog_of(fleet: Fleet, queue: Queue) -> Backlog:
    """Return what a slot may claim by itself; the jobs that run in batches are left to those."""
    batched = job_names_with("is_transactional") if queue in BATCHED else []
    names = tuple(sorted(TASKS.keys() - set(batched)))
    return Backlog(queue, names, fleet.queues[: fleet.queues.index(queue)])


def prepare_child(settings: Settings, fleet: Fleet, worker: Worker, celery: Celery, node: str) -> None:
    """Connect the child that just started, and have Linux kill it when its parent ends."""
    global _child  # noqa: PLW0603  # Celery gives a child no other place for its objects
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    cancellation.receive()
    _child = _Child(settings, fleet, worker, RunEvents(celery, node))
    try:
        _child.runner()
    except DATABASE_ERRORS as error:  # Postgres may be starting: the first job tries again
        log.warning("not connected yet: %s", error)


def __getattr__(name: str) -> Celery:
    """Build `app` on first access, as by `celery --app workers.app inspect ping`."""
    if name == "app":
        settings = load_settings()
        set_up_logging(settings.log_level, settings.log_format)
        return make_app(settings)
    raise AttributeError(name)
