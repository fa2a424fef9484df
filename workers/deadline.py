"""Stops a job that overruns, C code that holds the GIL included, and keeps where it stood."""

import faulthandler
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO

from shared.clock import monotonic

_MOST_TRACEBACK = 8_000
_REARM_AFTER_S = 0.1  # setting a limit starts a thread


def traceback_file(folder: Path, worker: str) -> Path:
    """Return where the process called `worker` leaves the traceback it dies with."""
    return folder / f"{worker.replace('/', '-')}.txt"


class Deadline:
    """A watchdog thread, in C, that dumps every thread's stack and ends the process: the parent records it."""

    def __init__(self, folder: Path, worker: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = traceback_file(folder, worker).open("w", encoding="utf-8")
        faulthandler.enable(self._file)  # a crash in C code leaves its stack here too

    @contextmanager
    def watch(self, limit: timedelta | None) -> Iterator[None]:
        """End this process unless the body returns within `limit`; None sets no limit."""
        if limit is None:
            yield
            return
        faulthandler.dump_traceback_later(limit.total_seconds(), exit=True, file=self._file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()

    @contextmanager
    def watch_each(self) -> Iterator[Callable[[timedelta | None], None]]:
        """Hand out what sets the limit of the next of many short jobs; it may come a tenth of a second early."""
        armed: tuple[timedelta | None, float] = (None, -_REARM_AFTER_S)

        def arm(limit: timedelta | None) -> None:
            nonlocal armed
            now = monotonic()
            if limit == armed[0] and now - armed[1] < _REARM_AFTER_S:
                return
            faulthandler.cancel_dump_traceback_later()
            if limit is not None:
                faulthandler.dump_traceback_later(limit.total_seconds(), exit=True, file=self._file)
            armed = limit, now

        try:
            yield arm
        finally:
            faulthandler.cancel_dump_traceback_later()

    def close(self) -> None:
        """Forget the file of a process that ends well."""
        faulthandler.disable()
        self._file.close()
        os.unlink(self._file.name)  # noqa: PTH108  # the file object knows its name as text


def last_words(folder: Path, worker: str) -> str:
    """Return and remove what a lost process wrote before it ended; empty when it had no time to."""
    file = traceback_file(folder, worker)
    try:
        words = file.read_text(encoding="utf-8", errors="replace")
        file.unlink()
    except FileNotFoundError:
        return ""
    return words[:_MOST_TRACEBACK]
