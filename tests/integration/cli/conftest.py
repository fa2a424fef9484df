"""Fixtures of the tests of commands."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.local.home.folder import Home
from cli.local.home.lock import Lock
from cli.local.home.state import write_state
from cli.main import main
from tests.fixtures.json_schemas import check_output
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.operator import worker_at
from tests.fixtures.processes import free_port
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.jobs_command import Result, Run, Terminal
from tests.integration.cli.shell import PASSWORD, Shell


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path / "home", monkeypatch, capsys)


@pytest.fixture
def dead_database() -> str:
    """The URL of a database on a port without a server."""
    return f"postgresql://tickwork:{PASSWORD}@127.0.0.1:{free_port()}/tickwork"


@pytest.fixture
def half_dead(shell: Shell, dead_database: str) -> Iterator[Shell]:
    """A shell with a running stack whose Postgres and Valkey are down."""
    home = Home(shell.home)
    home.prepare()
    lock = Lock(home.root)
    lock.acquire()
    broker = f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0"
    programs = [{"name": "postgres", "pid": None, "state": "backoff", "restarts": 4}]
    environment = {"DATABASE_URL": dead_database, "REDIS_URL": broker}
    write_state(home, {"pid": 1, "programs": programs, "urls": {"receiver": "http://x"}, "environment": environment})
    yield shell
    lock.close()


@pytest.fixture
def job_ledger(shared_ledger_env: LedgerEnv) -> LedgerEnv:
    """A ledger without jobs, in a database shared by all tests."""
    shared_ledger_env.execute("TRUNCATE job, job_key")
    return shared_ledger_env


@pytest.fixture
def jobs(
    job_ledger: LedgerEnv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run `tickwork jobs`; there is a terminal only if the test gives the typed text."""
    monkeypatch.setenv("TICKWORK_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", job_ledger.database_url)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, typed: str | None = None) -> Result:
        capsys.readouterr()
        monkeypatch.setattr("sys.argv", ["tickwork", "jobs", *arguments])
        monkeypatch.setattr("sys.stdin", io.StringIO() if typed is None else Terminal(typed))
        with pytest.raises(SystemExit) as end:
            main()
        out, error = capsys.readouterr()
        check_output(["jobs", *arguments], out)
        return Result(int(end.value.code or 0), out, error)

    return run


@pytest.fixture
def worker(worker_env: WorkerEnv) -> Iterator[None]:
    """A running worker."""
    with worker_at(worker_env):
        yield
