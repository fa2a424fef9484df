"""Commands beside locks that other sessions hold: they say what happened and who held the lock, and accuse no other."""

from collections.abc import Iterator

import psycopg
import pytest

from cli.local.home.folder import Home
from cli.local.home.lock import Lock
from cli.local.home.state import write_state
from tests.fixtures.held_locks import grant, new_role, running_statement
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.shell import Shell


@pytest.fixture
def innocent(worker_env: WorkerEnv) -> Iterator[psycopg.Connection]:
    """A session that sits in a transaction and locks nothing that a command needs."""
    with psycopg.connect(worker_env.settings.require_database(), application_name="innocent") as session:
        session.execute("SELECT 1 FROM account")
        yield session


@pytest.mark.usefixtures("innocent")
def test_halt_with_flatten_says_that_entries_are_halted_and_names_only_the_session_that_holds_the_lock(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    with running_statement(worker_env.settings.require_database(), "LOCK TABLE flatten_request IN SHARE MODE") as pid:
        result = operator("halt", "enough", "--flatten", "--yes")

    assert 1 == result.status
    assert "no account was flattened" in result.words
    assert "is halted: enough" in result.words
    assert "nothing was" not in result.words
    assert f"The lock is held by session {pid} (tickwork test, user" in result.words
    assert "innocent" not in result.words
    assert [("enough",)] == worker_env.rows("SELECT halt_reason FROM account")
    assert [] == worker_env.rows("SELECT 1 FROM flatten_request")


@pytest.mark.usefixtures("innocent")
def test_a_halt_that_a_lock_stops_says_that_no_account_was_halted(operator: RunCommand, worker_env: WorkerEnv) -> None:
    with running_statement(worker_env.settings.require_database(), "SELECT 1 FROM account FOR UPDATE") as pid:
        result = operator("halt", "enough")

    assert 1 == result.status
    assert "is NOT halted" in result.out
    assert "no account was halted" in result.error
    assert f"session {pid} (tickwork test, user" in result.words
    assert "innocent" not in result.words


@pytest.mark.usefixtures("innocent")
def test_a_command_that_did_not_see_who_held_the_lock_accuses_no_session(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    operator("halt", "enough")
    with running_statement(worker_env.settings.require_database(), "SELECT 1 FROM account FOR UPDATE"):
        result = operator("resume", "on")

    assert 1 == result.status
    assert "what waited for it was rolled back" in result.words
    assert "It is not known which one" in result.words
    assert "each perhaps innocent: session" in result.words
    assert "pg_terminate_backend" not in result.words


def test_doctor_warns_of_the_rights_that_the_role_lacks_until_it_has_them(shell: Shell, database_url: str) -> None:
    home = Home(shell.home)
    home.prepare()
    lock = Lock(home.root)
    lock.acquire()
    with new_role(database_url) as url:
        environment = {"DATABASE_URL": url, "REDIS_URL": "redis://127.0.0.1:1/0"}
        write_state(home, {"pid": 1, "programs": [], "urls": {}, "environment": environment})
        state, detail = check_transactions(shell)
        assert ("warning", True) == (state, "no session of this role sits in an open transaction" in detail)
        grant(database_url, detail.split("`")[1])

        assert ("fine", "no session sits in an open transaction") == check_transactions(shell)
    lock.close()


def check_transactions(shell: Shell) -> tuple[str, str]:
    checks = {one["name"]: one for one in shell.json("doctor", expected=1)["checks"]}
    return checks["transactions"]["state"], checks["transactions"]["detail"]
