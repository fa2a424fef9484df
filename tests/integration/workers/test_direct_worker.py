"""The direct worker runs critical jobs that nothing has claimed: without broker, and while Redis refuses writes."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import redis

from shared.fleets import Queue
from shared.ledger.jobs.upkeep import Canary, DoNothing
from tests.fixtures.alert_steps import hold, result_of
from tests.fixtures.monitors import Monitors
from tests.fixtures.processes import until
from tests.fixtures.program_env import make_program_env
from tests.fixtures.worker_env import WorkerEnv


@pytest.fixture
def full_redis(worker_env: WorkerEnv) -> "Iterator[redis.Redis]":
    """Hold a contract, and let Redis refuse every write that needs memory, as when `maxmemory` is reached."""
    hold(worker_env, 1)
    before = worker_env.redis.config_get("maxmemory")["maxmemory"] or 0
    worker_env.redis.config_set("maxmemory-policy", "noeviction")
    worker_env.redis.config_set("maxmemory", "1")
    with pytest.raises(redis.ResponseError):
        worker_env.redis.set("a", "test")
    yield worker_env.redis
    worker_env.redis.config_set("maxmemory", before)


@pytest.fixture
def direct(worker_env: WorkerEnv) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen([sys.executable, "-m", "workers.direct"], env=make_program_env(worker_env))
    yield process
    process.send_signal(signal.SIGTERM)
    assert 0 == process.wait(60)


def test_a_close_and_the_watch_of_the_rules_pass_while_redis_refuses_writes(
    worker_env: WorkerEnv, full_redis: "redis.Redis", direct: "subprocess.Popen[bytes]", monitors: Monitors
) -> None:
    worker_env.execute("UPDATE account SET block_reason = 'passed'")
    monitors.start()
    until(lambda: worker_env.rows("SELECT 1 FROM account WHERE block_reason = 'passed'") == [], what="the watch")
    close = worker_env.critical_alert()
    until(lambda: worker_env.venue.position() == 0)
    until(lambda: worker_env.job(close)[0] == "succeeded")

    assert result_of(worker_env, close).startswith("succeeded")
    assert direct.poll() is None
    with pytest.raises(redis.ResponseError):
        full_redis.set("a", "test")


def test_it_leaves_canaries_jobs_of_other_queues_and_those_that_are_not_due_for_two_seconds(
    worker_env: WorkerEnv, direct: "subprocess.Popen[bytes]"
) -> None:
    other, canary = (
        worker_env.enqueue(DoNothing(), queue=Queue.HIGH),
        worker_env.enqueue(Canary(), queue=Queue.CRITICAL),
    )
    worker_env.execute(f"UPDATE job SET run_at = now() - interval '1 hour' WHERE id IN ('{other}', '{canary}')")
    first = worker_env.enqueue(DoNothing(), queue=Queue.CRITICAL)
    until(lambda: worker_env.job(first)[0] == "succeeded")

    ((waited,),) = worker_env.rows("SELECT started_at - run_at > interval '2 seconds' FROM job WHERE id = %s", first)
    assert (waited, "queued", "queued") == (True, worker_env.job(other)[0], worker_env.job(canary)[0])
    assert direct.poll() is None
