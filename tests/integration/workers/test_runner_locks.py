"""The runner beside a lock on the ledger: a claim that could not be made is made later, by the same process."""

import psycopg
import pytest

from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.runner_env import RunnerEnv

LOCK = "LOCK TABLE job IN EXCLUSIVE MODE"  # reads pass


def test_a_job_whose_claim_meets_a_lock_stays_queued_and_the_process_goes_on(
    runner_env: RunnerEnv, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = runner_env.enqueue(lambda _: "done")
    with psycopg.connect(runner_env.database_url) as session:
        session.execute(LOCK)
        assert "unclaimed" == runner_env.runner.run(job_id).state
        session.rollback()

    assert ("queued", 0) == (runner_env.row(job_id)["state"], runner_env.row(job_id)["attempt"])
    assert f"job {job_id} is not claimed now, the relay publishes it again" in caplog.text
    assert "succeeded" == runner_env.run(job_id).state


def test_a_batch_whose_claim_meets_a_lock_stays_queued_and_the_process_goes_on(runner_env: RunnerEnv) -> None:
    with runner_env.ledger.transaction() as tx:
        tx.enqueue(DoNothing(), publish_on_commit=False)
    name, queue = DoNothing.job_name(), DoNothing.queue
    with psycopg.connect(runner_env.database_url) as session:
        session.execute(LOCK)
        assert {} == runner_env.runner.run_batch(name, queue, 10)
        session.rollback()

    assert {"succeeded": 1} == runner_env.runner.run_batch(name, queue, 10)
