"""Who runs jobs: each start of a program has a random id, as host names and process ids repeat, as in containers."""

import os
import socket
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final
from uuid import UUID, uuid4

from shared.config import environment
from shared.errors import SettingsError

ID_VARIABLE: Final = "TICKWORK_WORKER_ID"


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """One process that runs jobs: the id of its worker, and its process id."""

    worker_id: UUID
    process_id: int

    def __str__(self) -> str:
        return f"{self.worker_id}/{self.process_id}"


@dataclass(frozen=True, slots=True)
class Worker:
    """One start of a program that runs jobs, itself or in child processes."""

    id: UUID
    fleet: str
    host: str
    process_id: int
    version: str

    @classmethod
    def of_this_process(cls, fleet: str) -> "Worker":
        """Return the identity of this process, with the id that `up` gave to this start, or a new one."""
        return cls(_read_id() or uuid4(), fleet, socket.gethostname(), os.getpid(), version("tickwork"))

    @property
    def name(self) -> str:
        """Its name for people, which another may have too: <fleet>@<host>.<process id>."""
        return f"{self.fleet}@{self.host}.{self.process_id}"

    def process(self, process_id: int | None = None) -> WorkerProcess:
        """Return the identity of the child with this process id, or of the program's own process."""
        return WorkerProcess(self.id, process_id or self.process_id)


def _read_id() -> UUID | None:
    value = environment().get(ID_VARIABLE)
    try:
        return UUID(value) if value else None
    except ValueError:
        raise SettingsError(f"invalid {ID_VARIABLE} {value!r}: expected a UUID, another for each start") from None
