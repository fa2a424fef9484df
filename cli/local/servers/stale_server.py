"""Servers of a killed stack that are still shutting down: two servers on one data folder would corrupt it."""

import time
from pathlib import Path

import psutil

from shared.errors import SettingsError

_TIMEOUT_S = 60.0


def wait_for_old_server(pid_file: Path, folder: Path) -> None:
    """Wait until the server of `pid_file` has ended, then remove the file; a pid reused by another process is ignored.

    Raise SettingsError when it does not end within 60 s.
    """
    until = time.monotonic() + _TIMEOUT_S
    while (pid := _read_pid(pid_file)) is not None and _is_running_in(pid, folder):
        if time.monotonic() > until:
            raise SettingsError(f"process {pid} still uses {folder}: stop it (kill {pid}) and try again")
        time.sleep(0.05)
    pid_file.unlink(missing_ok=True)


def _read_pid(file: Path) -> int | None:
    try:
        first = file.read_text().splitlines()[:1]
    except OSError:
        return None
    return int(first[0]) if first and first[0].strip().isdigit() else None


def _is_running_in(pid: int, folder: Path) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).resolve() == folder.resolve()
    except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
        return False
