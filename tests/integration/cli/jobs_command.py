"""`tickwork jobs` for tests, and the jobs it shows and changes."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.ledger_env import LedgerEnv

TRACEBACK = """Traceback (most recent call last):
  File "a.py", line 1, in a
    connect()
OSError: gone

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "b.py", line 2, in b
    give_up()
ValueError: no [/price] in [the] answer
(and more about it)
"""
HEADLINE = "ValueError: no [/price] in [the] answer"
LATE = "expires_at = now() - interval '1 minute'"
UNKNOWN = UUID("01a22198-0000-7000-8000-000000000000")  # the id of no job


@dataclass(frozen=True)
class Result:
    """The output of a command and its exit status."""

    status: int
    out: str
    error: str

    @property
    def json(self) -> Any:
        """The JSON on stdout; anything else is an error."""
        return json.loads(self.out)


Run = Callable[..., Result]


class Terminal(io.StringIO):
    """A terminal with a typed answer."""

    def isatty(self) -> bool:
        """Return True, as a terminal does."""
        return True


def create_job(job_ledger: LedgerEnv, state: str, more: str = "error = 'ValueError: broken'") -> UUID:
    ended = "now()" if state not in {"queued", "running"} else "NULL"
    change = f"state = '{state}', attempt = 3, finished_at = {ended}, {more}"
    return job_ledger.enqueue(DoNothing(note="of a test"), change, publish_on_commit=False)


def read_state(job_ledger: LedgerEnv, job_id: UUID) -> str:
    return str(job_ledger.row(job_id)["state"])


def create_similar_ids(job_ledger: LedgerEnv) -> tuple[UUID, UUID]:
    similar = UUID("01234567-89ab-7000-8000-000000000001"), UUID("01234567-89ab-7000-8000-000000000002")
    for job_id in similar:
        job_ledger.execute(f"UPDATE job SET id = '{job_id}' WHERE id = '{create_job(job_ledger, 'dead')}'")
    return similar
