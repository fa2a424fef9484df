"""Ends a job that overruns its deadline, even in C code that holds the GIL, and keeps its stack."""

import faulthandler
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from shared.clock import machine_now
from shared.ledger.worker import WorkerProcess

_MOST_TRACEBACK = 8_000
_KEPT_FOR = timedelta(days=1)


def traceback_file(folder: Path, worker: WorkerProcess) -> Path:
    """Return the path to which the process of a worker writes its last traceback."""
    return folder / f"{worker.worker_id}-{worker.process_id}.txt"


class Deadline:
    """An alarm whose handler, in C, dumps every thread's stack and ends the process; the parent records the stack.

    Source: faulthandler.register with `chain`, which then calls the default handler of SIGALRM.
    """

    def __init__(self, folder: Path, worker: WorkerProcess) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = traceback_file(folder, worker).open("w", encoding="utf-8")
        faulthandler.enable(self._file)  # a crash in C code leaves its stack here too
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        faulthandler.register(signal.SIGALRM, self._file, all_threads=True, chain=True)

    @contextmanager
    def watch(self, limit: timedelta | None) -> Iterator[None]:
        """End this process unless the body returns within `limit`; None sets no limit."""
        if limit is None:
            yield
            return
        signal.setitimer(signal.ITIMER_REAL, limit.total_seconds())
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def close(self) -> None:
        """Stop the alarm and delete the file, when the process ends in order."""
        faulthandler.unregister(signal.SIGALRM)
        faulthandler.disable()
        self._file.close()
        os.unlink(self._file.name)  # noqa: PTH108  # the file object knows its name as text


def delete_old_tracebacks(folder: Path) -> None:
    """Delete what processes left behind that were killed a day ago or earlier."""
    for file in folder.glob("*.txt"):
        with suppress(FileNotFoundError):
            if machine_now() - datetime.fromtimestamp(file.stat().st_mtime, UTC) > _KEPT_FOR:
                file.unlink()


def crash_report(folder: Path, worker: WorkerProcess) -> str:
    """Return the traceback of a lost process and delete its file; empty when it wrote none."""
    file = traceback_file(folder, worker)
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
        file.unlink()
    except FileNotFoundError:
        return ""
    return text[:_MOST_TRACEBACK]
