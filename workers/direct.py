"""Runs critical jobs that no worker has claimed, by Postgres alone: `python -m workers.direct`.

Exits go on while Redis refuses writes, the broker is away or the critical workers hang.
"""

import logging
import threading
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Engine

from shared.config import Settings, load_settings
from shared.db.engine import DATABASE_ERRORS, driver, make_engine
from shared.fleets import Queue
from shared.heartbeat import touch
from shared.ledger import queues
from shared.ledger.jobs import job_names_with
from shared.ledger.jobs.upkeep import Canary
from shared.ledger.worker import Worker
from shared.log_setup import set_up_logging
from workers.app import import_tasks
from workers.lease_renewer import STATEMENT_TIMEOUT_S, LeaseRenewer
from workers.runner import Runner
from workers.stop_signals import stop_on_signals
from workers.task import TASKS
from workers.wiring import open_runner

log = logging.getLogger(__name__)

UNCLAIMED_FOR = timedelta(seconds=2)  # a wake-up that was lost is published again after one
_POLL_S = 0.5
_MOST = 20  # read at once; a job that is claimed meanwhile is not run twice


def run(settings: Settings, stopping: threading.Event) -> None:
    """Run what is unclaimed, one job at a time and the oldest first, until `stopping` is set.

    Raise JobOutcomeUnknownError when the database was lost during a job: the process must then end, and be restarted.
    """
    import_tasks()
    worker = Worker.of_this_process("direct")
    renewer = LeaseRenewer(settings, worker, program="direct leases")
    renewer.start()
    engine = make_engine(
        settings.require_database(), program="direct", pool_size=1, statement_timeout_s=STATEMENT_TIMEOUT_S
    )
    try:
        with open_runner(settings, worker.process(), program="direct") as runner:
            while not stopping.wait(_POLL_S):
                touch()
                _run_due(runner, engine, stopping)
    finally:
        renewer.stop()
        engine.dispose()


def _run_due(runner: Runner, engine: Engine, stopping: threading.Event) -> None:
    probes = job_names_with("is_probe")  # they recur every few seconds, and the log needs none of them
    for name, job_id in _list_unclaimed(engine):
        if stopping.is_set():
            return
        outcome = runner.run(job_id)
        if outcome.state != "duplicate" and name not in probes:
            log.warning("%s %s, which no worker had claimed, ran here: %s", name, job_id, outcome.state)


def _list_unclaimed(engine: Engine) -> list[tuple[str, UUID]]:
    try:
        with engine.connect() as connection:
            # A canary shows whether the workers of its queue run, and must wait for them.
            names = sorted(TASKS.keys() - {Canary.job_name()})
            return queues.list_unclaimed(driver(connection), Queue.CRITICAL, names, UNCLAIMED_FOR, _MOST)
    except DATABASE_ERRORS as error:
        log.warning("the ledger does not answer, trying again: %s", error)
        return []


def main() -> None:
    """Run until SIGTERM or SIGINT; the job that runs then is finished first."""
    settings = load_settings()
    set_up_logging(settings.log_level, settings.log_format)
    run(settings, stop_on_signals())


if __name__ == "__main__":
    main()
