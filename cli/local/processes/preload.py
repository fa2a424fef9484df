"""What the programs of a stack import, imported once: `up` forks them from the process that has loaded this module."""

import gc
import os
import signal
from importlib import import_module
from typing import Final

from cli.local.processes.program import tie_to_us

MODULES: Final = (
    "celery.apps.worker",
    "celery.concurrency.prefork",
    "celery.worker.components",
    "celery.worker.consumer",
    "flower.app",
    "scheduler.beat",
    "scheduler.relay",
    "simulator.app",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.ext.asyncio",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "web.receiver.app",
    "workers.direct",
    "workers.feed.feed",
    "workers.risk.monitor",
)


def load() -> None:
    """Import everything, and leave the terminal's signals to `up`, with which this process ends."""
    os.setsid()
    tie_to_us(signal.SIGKILL, parent=os.getppid())()
    for name in MODULES:
        import_module(name)
    import_module("workers.app").import_tasks()
    gc.collect()
    gc.freeze()  # a later collection would copy the memory that the programs share


load()
