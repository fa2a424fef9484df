"""The name of a worker in Celery and Flower: the same after each restart, so that none is listed twice."""

import errno
import fcntl
import itertools
import socket
import sys
from hashlib import sha256
from pathlib import Path
from typing import IO


class NodeName:
    """`FLEET@HOST`, or `FLEET-2@HOST` and so on beside other workers of the fleet; it is free when the process ends.

    Containers may share a host name and no folder, but then they share a network, and with it the names of its sockets.
    """

    def __init__(self, fleet: str, home: Path) -> None:
        folder = home / "run"
        for number in itertools.count(1):
            holder = _try_to_hold(f"{fleet}-{number}", folder)
            if holder is not None:
                self._holder = holder
                self.text = f"{fleet if number == 1 else f'{fleet}-{number}'}@{socket.gethostname()}"
                return

    def release(self) -> None:
        """Close what holds the name, in a child of the worker that inherited it."""
        self._holder.close()


def _try_to_hold(name: str, folder: Path) -> "socket.socket | IO[bytes] | None":
    return _bind(name, folder) if sys.platform == "linux" else _lock(name, folder)


def _bind(name: str, folder: Path) -> socket.socket | None:
    """Bind a socket in the network's abstract name space, where no file outlives it."""
    stack = sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(f"\0tickwork-{stack}-{name}")
    except OSError as error:
        holder.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return holder


def _lock(name: str, folder: Path) -> IO[bytes] | None:
    folder.mkdir(parents=True, exist_ok=True)
    holder = (folder / f"{name}.name").open("wb")
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder.close()
        return None
    except OSError:
        holder.close()
        raise
    return holder
