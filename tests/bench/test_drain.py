"""The rate at which a backlog of short jobs is processed, and the CPU per job: ours and peers, in the same run."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from shared.config import environment
from shared.fleets import Queue, fleet_named
from tests.bench.test_queue_latency import insert_backlog
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.peers import peers_redis, plain_celery, running_program
from tests.fixtures.processes import until
from tests.fixtures.trial.trials import Nothing, Small

OURS, THEIRS = 20_000, 5_000
SLOTS = fleet_named("bulk").slots
Figures = tuple[float, float]  # jobs a second, ms of CPU a job


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """Return the seconds of CPU that these processes and their children have used."""
    seconds = 0.0
    for process in processes:
        for one in (process, *process.children(recursive=True)):
            used = one.cpu_times()
            seconds += used.user + used.system
    return seconds


def measure_drain(count_left: Callable[[], int], count: int, processes: list[psutil.Process]) -> Figures:
    """Measure a backlog from a tenth done to all done, so that the start of the workers is not in the figures."""
    until(lambda: count_left() <= count * 0.9, 120, "the first tenth")
    began, first, used = time.monotonic(), count_left(), cpu_seconds(processes)
    until(lambda: count_left() == 0, 300, "the end of the backlog")
    took = time.monotonic() - began
    return first / took, (cpu_seconds(processes) - used) / first * 1000


def server_processes() -> list[psutil.Process]:
    """Return Postgres and Valkey, whose CPU counts too."""
    names = {"postgres", "valkey-server", "redis-server"}
    children = psutil.Process().children()
    return [process for process in children if process.name() in names]


def drain_ours(ledger_env: LedgerEnv, request: type[Nothing] | type[Small], count: int) -> Figures:
    insert_backlog(ledger_env, request(), Queue.LOW, count)
    worker = ledger_env.start("tests.fixtures.trial", "bulk")
    relay = ledger_env.start("tests.fixtures.trial.relay")

    def count_left() -> int:
        state = "state IN ('queued', 'running')"
        return int(ledger_env.rows(f"SELECT count(*) AS n FROM job WHERE {state} AND queue = 'low'")[0]["n"])

    processes = [psutil.Process(worker.pid), psutil.Process(relay.pid), *server_processes()]
    try:
        return measure_drain(count_left, count, processes)
    finally:
        worker.kill()
        relay.kill()
        ledger_env.execute("TRUNCATE job")
        ledger_env.redis.flushdb()


def drain_plain_celery(redis_url: str, log: Path) -> Figures:
    broker = peers_redis(redis_url)
    os.environ["PLAIN_BROKER"] = broker
    from tests.fixtures.trial import plain as app  # noqa: PLC0415  # it connects to the broker of the line above

    for _ in range(THEIRS):
        app.nothing.delay()
    with redis.Redis.from_url(broker) as client, plain_celery(broker, SLOTS, log) as worker:
        return measure_drain(
            lambda: int(client.llen("plain")) + int(client.hlen("unacked")),
            THEIRS,
            [psutil.Process(worker.pid), *server_processes()],
        )


def drain_dramatiq(redis_url: str, log: Path) -> Figures:
    broker = peers_redis(redis_url)
    os.environ["PLAIN_BROKER"] = broker
    from tests.fixtures.trial import dramatiq_app  # noqa: PLC0415  # as above

    for _ in range(THEIRS):
        dramatiq_app.nothing.send()
    command = [sys.executable, "-m", "dramatiq", "tests.fixtures.trial.dramatiq_app", "--processes", "2"]
    with (
        redis.Redis.from_url(broker) as client,
        running_program([*command, "--threads", str(SLOTS // 2)], environment(), log) as worker,
    ):
        return measure_drain(
            lambda: int(client.hlen("dramatiq:default.msgs")), THEIRS, [psutil.Process(worker.pid), *server_processes()]
        )


def drain_taskiq(redis_url: str, log: Path) -> Figures:
    broker = peers_redis(redis_url)
    os.environ["PLAIN_BROKER"] = broker
    from tests.fixtures.trial import taskiq_app  # noqa: PLC0415  # as above

    async def send() -> None:
        await taskiq_app.broker.startup()
        for _ in range(THEIRS):
            await taskiq_app.nothing.kiq()
        await taskiq_app.broker.shutdown()

    asyncio.run(send())
    command = [sys.executable, "-m", "taskiq", "worker", "tests.fixtures.trial.taskiq_app:broker", "--workers", "2"]
    with redis.Redis.from_url(broker) as client, running_program(command, environment(), log) as worker:

        def count_left() -> int:
            group = client.xinfo_groups("taskiq")[0]
            return int(group["lag"] or 0) + int(group["pending"])

        return measure_drain(count_left, THEIRS, [psutil.Process(worker.pid), *server_processes()])


def drain_procrastinate(database_url: str, log: Path) -> Figures:
    os.environ["PEERS_DATABASE"] = database_url
    from tests.fixtures.trial import procrastinate_app  # noqa: PLC0415  # as above

    async def send() -> None:
        async with procrastinate_app.app.open_async():
            await procrastinate_app.app.schema_manager.apply_schema_async()
            await procrastinate_app.nothing.batch_defer_async(*({} for _ in range(THEIRS)))

    asyncio.run(send())
    command = [sys.executable, "-m", "procrastinate", "--app=tests.fixtures.trial.procrastinate_app.app", "worker"]
    todo = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        running_program([*command, f"--concurrency={SLOTS}"], environment(), log) as worker,
    ):
        return measure_drain(
            lambda: int(connection.execute(todo).fetchall()[0][0]),
            THEIRS,
            [psutil.Process(worker.pid), *server_processes()],
        )


@pytest.mark.bench
@pytest.mark.timeout(900)
def test_a_backlog_of_short_low_jobs_is_worked_off(
    ledger_env: LedgerEnv, redis_url: str, empty_database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "peers.log"
    figures = {
        "ours, transactional jobs in batches": drain_ours(ledger_env, Nothing, OURS),
        "ours, one wake-up per job": drain_ours(ledger_env, Small, THEIRS),
        "control: plain Celery, late acks, prefork": drain_plain_celery(redis_url, log),
        "dramatiq, 2 processes": drain_dramatiq(redis_url, log),
        "taskiq, 2 processes, streams with acks": drain_taskiq(redis_url, log),
        "procrastinate": drain_procrastinate(empty_database_url, log),
    }
    control = figures["control: plain Celery, late acks, prefork"][0]
    with capsys.disabled():
        print(f"\na backlog of no-op jobs, {SLOTS} slots")
        for name, (rate, cost) in figures.items():
            print(f"{name:44} {rate:9,.0f} jobs/s   {cost:6.2f} ms CPU a job   {rate / control:6.2f} x the control")
