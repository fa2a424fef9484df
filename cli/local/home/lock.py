"""The lock of a home, for one supervisor at a time; the system releases it when its process ends."""

import fcntl
import os
import time
from pathlib import Path

from shared.errors import SettingsError

_TIMEOUT_S = 1.0


class AlreadyRunningError(SettingsError):
    """Another `tickwork up` holds the lock; `pid` is its process, None before it has written it."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(f"process {pid}")
        self.pid = pid


class Lock:
    """The lock of a home, held until `close` or any end of this process."""

    def __init__(self, home: Path) -> None:
        self._file = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o644)

    def acquire(self) -> None:
        """Acquire the lock; raise AlreadyRunningError if another process holds it for longer than 1 s."""
        until = time.monotonic() + _TIMEOUT_S
        while not self._try_acquire():
            # `status` and `down` hold the lock for a moment only.
            if time.monotonic() > until:
                raise AlreadyRunningError(_read_pid(self._file))
            time.sleep(0.05)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Release the lock."""
        os.close(self._file)

    def _try_acquire(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def find_holder(home: Path) -> int | None:
    """Return the process id of the supervisor that runs in `home`, or None; a stale lock file gives None."""
    try:
        file = os.open(home / "lock", os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_pid(file)
    else:
        return None
    finally:
        os.close(file)


def _read_pid(file: int) -> int | None:
    text = os.pread(file, 32, 0).strip()
    return int(text) if text.isdigit() else None
