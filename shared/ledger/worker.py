"""Who runs jobs: each start of a program has a random id, as host names and process ids repeat, as in containers."""

import os
import socket
from dataclasses import dataclass
from importlib.metadata import version
from uuid import UUID, uuid4


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
        """Return a new identity for this process."""
        return cls(uuid4(), fleet, socket.gethostname(), os.getpid(), version("tickwork"))

    @property
    def name(self) -> str:
        """Its name for people, which another may have too: <fleet>@<host>.<process id>."""
        return f"{self.fleet}@{self.host}.{self.process_id}"

    def process(self, process_id: int | None = None) -> WorkerProcess:
        """Return the identity of the child with this process id, or of the program's own process."""
        return WorkerProcess(self.id, process_id or self.process_id)
