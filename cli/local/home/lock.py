"""One supervisor per home: a lock that the system takes away from whoever dies."""

import fcntl
import os
import time
from pathlib import Path

from shared.errors import SettingsError

_TIMEOUT_S = 1.0


class AlreadyRunningError(SettingsError):
    """Another `tickwork up` holds the home; `pid` is its process, None if it has not written it down yet."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(f"process {pid}")
        self.pid = pid


class Lock:
    """Holds a home until it is closed or this process ends, however it ends."""

    def __init__(self, home: Path) -> None:
        self._file = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o644)

    def take(self) -> None:
        """Take the lock; raise AlreadyRunningError if another keeps it."""
        until = time.monotonic() + _TIMEOUT_S
        while not self._try():
            # A `status` that looks holds it for a moment only.
            if time.monotonic() > until:
                raise AlreadyRunningError(_pid_in(self._file))
            time.sleep(0.05)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Give the lock back."""
        os.close(self._file)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def holder(home: Path) -> int | None:
    """Return the process id of the supervisor that runs in `home`, or None; a stale file never says that one does."""
    try:
        file = os.open(home / "lock", os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid_in(file)
    else:
        return None
    finally:
        os.close(file)


def _pid_in(file: int) -> int | None:
    text = os.pread(file, 32, 0).strip()
    return int(text) if text.isdigit() else None
