"""Runs one fleet of workers: `python -m workers critical`."""

import gc
import logging
import os
import sys
import warnings
from contextlib import suppress
from typing import Any

from celery import signals
from celery.exceptions import SecurityWarning

from shared.config import load_settings
from shared.db.engine import DATABASE_ERRORS, make_engine
from shared.fleets import fleet_named
from shared.ledger.publisher import open_publisher
from shared.ledger.worker import Worker
from shared.log_setup import set_up_logging
from workers.app import make_app, prepare_child
from workers.celery_activity import CeleryActivity
from workers.deadline import delete_old_tracebacks
from workers.heartbeat import HeartbeatFile
from workers.lease_renewer import STATEMENT_TIMEOUT_S
from workers.leases import LeaseKeeper
from workers.node_name import NodeName
from workers.run_events import RunEvents
from workers.watchdog import Watchdog, end_at_once
from workers.wiring import tracebacks_folder

log = logging.getLogger(__name__)


def share_memory_with_children() -> None:
    """Keep the garbage collector from writing to what is loaded by now: children then share it, 25 MB each.

    Source: gc.freeze in Python's documentation.
    """
    gc.collect()
    gc.freeze()


def main() -> None:
    """Serve the fleet named on the command line until SIGTERM."""
    settings = load_settings()
    fleet = fleet_named(sys.argv[1] if len(sys.argv) > 1 else "", settings.slots)
    set_up_logging(settings.log_level, settings.log_format)
    # Celery warns of pickle when run as root; we accept JSON only.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    os.nice(fleet.niceness)
    me = Worker.of_this_process(fleet.name)
    name = NodeName(fleet.name, settings.home)
    app = make_app(settings, fleet)
    app.steps["consumer"].add(HeartbeatFile)
    engine = make_engine(
        settings.require_database(),
        program=f"{fleet.program} leases",
        pool_size=2,
        statement_timeout_s=STATEMENT_TIMEOUT_S,
    )
    worker = app.Worker(
        hostname=name.text,
        concurrency=fleet.slots,
        pool_cls="prefork",
        optimization="fair",
        without_gossip=True,
        without_mingle=True,
        loglevel="WARNING",
        quiet=True,
    )

    def children() -> set[int]:
        pool = getattr(worker.pool, "_pool", None)
        # A child that is being forked has no pid yet.
        return {process.pid for process in list(pool._pool) if process.pid} if pool else set()  # noqa: SLF001  # billiard lists them only here

    events = RunEvents(app, name.text)
    keeper = LeaseKeeper(engine, me, children, tracebacks_folder(settings), events.send_lost)

    @signals.worker_process_init.connect(weak=False)
    def _prepare_child(**_: Any) -> None:  # noqa: ANN401  # what Celery sends
        name.release()
        prepare_child(settings, fleet, me, app, name.text)

    @signals.worker_ready.connect(weak=False)
    def _start_keeper(**_: Any) -> None:  # noqa: ANN401  # what Celery sends
        keeper.start()

    @signals.task_unknown.connect(weak=False)
    def _leave_unknown_task(name: str, id: str, **_: Any) -> None:  # noqa: A002, ANN401  # what Celery sends
        log.warning("job %s waits for a worker that knows its name %r: this one is another version", id, name)

    def end(status: int) -> None:
        if status == os.EX_OK:
            keeper.stop()
        end_at_once(status)

    watchdog = Watchdog(open_publisher(settings.require_broker()), fleet, CeleryActivity(), keeper.has_jobs, end)
    with suppress(*DATABASE_ERRORS):  # with its first heartbeat otherwise
        keeper.register()
    watchdog.start()
    signals.worker_shutting_down.connect(lambda **_: watchdog.shut_down(), weak=False)
    delete_old_tracebacks(tracebacks_folder(settings))
    share_memory_with_children()
    worker.start()
    watchdog.stop()
    keeper.stop()
    sys.exit(worker.exitcode)


if __name__ == "__main__":
    main()
