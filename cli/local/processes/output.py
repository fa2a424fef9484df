"""The output of programs: each line is masked, kept in a log file per program that rotates, and shown."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

from shared.log import mask_secrets

MOST_BYTES = 10_000_000
_OLD_FILES = 2
_WIDTH = 15


def stream_output(
    name: str,
    pipe: IO[bytes],
    folder: Path,
    show: Callable[[str], None],
    *,
    is_shown: Callable[[str], bool] = lambda _: True,
    is_noise: Callable[[str], bool] = lambda _: False,
    most_bytes: int = MOST_BYTES,
) -> threading.Thread:
    """Read a program's output on a thread until it ends; `show` must not wait, or the program would.

    Every line goes into the log file but noise, and those that `is_shown` chooses to `show` too. The file begins anew
    before it has more than `most_bytes`; the last two are kept beside it.
    """
    log = _LogFile(folder / f"{name}.log", most_bytes, show)

    def add(line: str) -> None:
        log.add(line)
        if is_shown(line):
            show(f"{name:<{_WIDTH}} | {line}")

    thread = threading.Thread(target=_read, args=(pipe, log, add, is_noise), name=f"output of {name}", daemon=True)
    thread.start()
    return thread


class _LogFile(RotatingFileHandler):
    """A log file that rotates by size; the reading goes on while it cannot be written, as on a full disk."""

    def __init__(self, file: Path, most_bytes: int, show: Callable[[str], None]) -> None:
        super().__init__(file, maxBytes=most_bytes, backupCount=_OLD_FILES, encoding="utf-8", delay=True)
        self._show = show
        self._has_failed = False

    def add(self, line: str) -> None:
        """Write one line."""
        self.emit(logging.makeLogRecord({"msg": line}))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  # logging's signature
        """Show the first error; logging itself would print a traceback for each line."""
        if not self._has_failed:
            self._has_failed = True
            self._show(f"{self.baseFilename} cannot be written; free space on its disk")


def _read(pipe: IO[bytes], log: _LogFile, add: Callable[[str], None], is_noise: Callable[[str], bool]) -> None:
    with pipe:
        for raw in pipe:
            line = mask_secrets(raw.decode(errors="replace").rstrip())
            if line and not is_noise(line):
                add(line)
    with suppress(OSError):
        log.close()
