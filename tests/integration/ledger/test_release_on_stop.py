"""A stack that stops releases the jobs of the workers that it kills, and those of no other worker."""

import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, select

from cli.local.processes.program import Program
from cli.local.processes.shutdown import shut_down
from cli.local.processes.supervisor import Supervisor
from shared.config import environment
from shared.db.engine import driver
from shared.db.tables.ledger import job
from shared.errors import SettingsError
from shared.ledger import worker_registry
from shared.ledger.jobs.upkeep import DoNothing
from shared.ledger.ledger import Ledger
from shared.ledger.worker import Worker, WorkerProcess
from tests.fixtures.processes import until
from tests.fixtures.stack_config import stack_config

# A worker that ignores its stop signal; it writes its id to a file.
DEAF_WORKER = """
import signal, sys, time
from pathlib import Path
from shared.ledger.worker import Worker
signal.signal(signal.SIGTERM, signal.SIG_IGN)
file = Path(sys.argv[1])
file.with_name("new").write_text(str(Worker.of_this_process("bulk").id))
file.with_name("new").rename(file)
time.sleep(600)
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path, lambda _: None, lambda: None)
    yield supervisor
    supervisor.stop([child.program.name for child in supervisor.children])
    supervisor.close()


def run_job(ledger: Ledger, worker: WorkerProcess) -> UUID:
    with ledger.transaction() as tx:
        job_id = tx.enqueue(DoNothing()).job_id
    assert ledger.claim(job_id, worker) is not None
    return job_id


def read_states(engine: Engine) -> dict[UUID, str]:
    with engine.connect() as connection:
        return {row.id: row.state for row in connection.execute(select(job.c.id, job.c.state))}


def test_a_stop_leaves_the_jobs_of_a_worker_with_the_same_host_name_and_process_id(
    ledger: Ledger, engine: Engine, database_url: str, supervisor: Supervisor, tmp_path: Path
) -> None:
    file, lines = tmp_path / "id", list[str]()
    command = [sys.executable, "-c", DEAF_WORKER, str(file)]
    child = supervisor.add(Program("worker-bulk", command, environment(), file.exists, stop_timeout_s=0.2))
    until(file.exists, what="the id of the worker")
    assert child.pid is not None
    ours = Worker(UUID(file.read_text()), "bulk", socket.gethostname(), child.pid, "0.0.0")
    sibling = Worker(uuid4(), "bulk", socket.gethostname(), child.pid, "0.0.0")  # in another container
    jobs = []
    for worker in (ours, sibling):
        with engine.begin() as connection:
            worker_registry.beat(driver(connection), worker)
        jobs.append(run_job(ledger, worker.process()))

    shut_down(supervisor, stack_config(tmp_path, database_url), lines.append)

    assert dict(zip(jobs, ["queued", "running"], strict=True)) == read_states(engine)
    assert ["released 1 job of worker-bulk"] == lines


def test_each_start_of_a_worker_has_an_id_of_its_own(supervisor: Supervisor, tmp_path: Path) -> None:
    file = tmp_path / "id"
    child = supervisor.add(
        Program("worker-bulk", [sys.executable, "-c", DEAF_WORKER, str(file)], environment(), lambda: True)
    )
    until(file.exists, what="the id of the worker")
    first = child.worker_id
    assert str(first) == file.read_text()
    file.unlink()
    assert child.process is not None
    child.process.send_signal(signal.SIGKILL)

    def has_restarted() -> bool:
        supervisor.step()
        return file.exists()

    until(has_restarted, what="the id of the next worker")
    assert str(child.worker_id) == file.read_text() != str(first)


def test_a_worker_that_no_supervisor_started_has_a_random_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TICKWORK_WORKER_ID", raising=False)

    assert Worker.of_this_process("bulk").id != Worker.of_this_process("bulk").id


def test_an_id_that_is_no_uuid_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKWORK_WORKER_ID", "seven")

    with pytest.raises(SettingsError, match="invalid TICKWORK_WORKER_ID 'seven': expected a UUID"):
        Worker.of_this_process("bulk")
