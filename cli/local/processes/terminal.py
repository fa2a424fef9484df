"""The terminal of `up`: it gets the lines that it can take, and a terminal that takes none delays no program."""

import os
import select
import threading
import time
from collections import deque
from typing import Final

from shared.domain.counting import count_of

STDOUT, STDERR = 1, 2
_MOST_LINES: Final = 1000
_LAST_LINES_WITHIN_S: Final = 1.0


class Terminal:
    """Writes lines in a thread of its own; the lines that are too many while it waits are dropped, and counted.

    `logs` is where a reader finds the dropped ones.
    """

    def __init__(self, logs: object) -> None:
        self._logs = logs
        self._lines: deque[tuple[int, str]] = deque()
        self._dropped = 0
        self._changed = threading.Condition()
        self._is_writing = False
        self._thread = threading.Thread(target=self._write_lines, name="terminal", daemon=True)
        self._thread.start()

    def say(self, line: str) -> None:
        """Write a line to stdout, some time later."""
        self._add(STDOUT, line)

    def show(self, line: str) -> None:
        """Write a line to stderr, some time later."""
        self._add(STDERR, line)

    def flush(self) -> None:
        """Wait until the lines are written, but at most a second."""
        until = time.monotonic() + _LAST_LINES_WITHIN_S
        with self._changed:
            while (self._lines or self._dropped or self._is_writing) and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)

    def _add(self, descriptor: int, line: str) -> None:
        with self._changed:
            if len(self._lines) < _MOST_LINES:
                self._note_dropped()
                self._lines.append((descriptor, line))
            else:
                self._dropped += 1
            self._changed.notify_all()

    def _note_dropped(self) -> None:
        if self._dropped:
            were = f"{count_of(self._dropped, 'line')} {'was' if self._dropped == 1 else 'were'}"
            shown = f"{were} not shown, as the terminal took none: read them in {self._logs}"
            self._lines.append((STDERR, shown))
            self._dropped = 0

    def _write_lines(self) -> None:
        while True:
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()
                while not self._lines and not self._dropped:
                    self._changed.wait()
                if not self._lines:
                    self._note_dropped()
                descriptor, line = self._lines.popleft()
                self._is_writing = True
            _write(descriptor, f"{line}\n".encode(errors="replace"))


def _write(descriptor: int, data: bytes) -> None:
    """Write without the buffers of Python, whose locks would outlast a thread that waits; ignore a closed terminal."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
        except OSError:
            return
