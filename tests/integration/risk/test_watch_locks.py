"""The watch beside rows that another session locks: it goes on with the other accounts, and comes back."""

import psycopg
import pytest

from tests.fixtures.alert_steps import hold
from tests.fixtures.worker_env import WorkerEnv

OTHER = 1  # comes before the account of the venue
ADD_OTHER = f"""
    INSERT INTO account SELECT (jsonb_populate_record(account, jsonb_build_object(
        'id', {OTHER}, 'name', 'PRAC-V2-1-11071849'))).* FROM account
"""
REASONS = "SELECT block_reason FROM account ORDER BY id"


@pytest.fixture
def blocked(worker_env: WorkerEnv) -> WorkerEnv:
    """Two accounts whose reason for being blocked has passed, which the next watch notices."""
    worker_env.execute(ADD_OTHER)
    worker_env.execute("UPDATE account SET block_reason = 'passed'")
    return worker_env


def watch(worker_env: WorkerEnv) -> None:
    worker_env.write_quote()
    worker_env.watch()


def reasons(worker_env: WorkerEnv) -> list[str | None]:
    return [reason for (reason,) in worker_env.rows(REASONS)]


def test_a_locked_account_keeps_no_other_from_being_watched_and_is_watched_later(
    blocked: WorkerEnv, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(blocked.settings.require_database()) as session:
        session.execute("SELECT 1 FROM account WHERE id = %s FOR UPDATE", [OTHER])
        watch(blocked)
        before, after = reasons(blocked)
        assert "passed" == before
        assert "passed" != after
        assert f"rows are locked: the rules of account {OTHER} are enforced in the next watch" in caplog.text

    watch(blocked)
    assert "passed" not in reasons(blocked)


def test_a_lock_that_keeps_a_guard_from_being_enqueued_keeps_no_account_from_being_watched(
    worker_env: WorkerEnv,
) -> None:
    hold(worker_env, 1)
    worker_env.execute("UPDATE fill SET guarded_at = NULL, recorded_at = recorded_at - interval '1 minute'")
    worker_env.execute("UPDATE account SET block_reason = 'passed'")
    guards = "SELECT 1 FROM job WHERE name = 'orders.guard_position' AND state = 'queued'"
    with psycopg.connect(worker_env.settings.require_database()) as session:
        session.execute("LOCK TABLE job_key IN EXCLUSIVE MODE")
        watch(worker_env)
        assert "passed" not in reasons(worker_env)
        assert [] == worker_env.rows(guards)

    watch(worker_env)
    assert [(1,)] == worker_env.rows(guards)
