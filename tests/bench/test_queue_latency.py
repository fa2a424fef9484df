"""The wait of a job for its start: idle, beside plain Celery; and critical while the lower queues are saturated."""

import os
import time
from pathlib import Path
from types import ModuleType

import pytest
from psycopg import Connection

from shared.db.engine import driver
from shared.fleets import FLEETS, Queue
from shared.ledger.enqueue import new_job
from shared.ledger.job import Job
from tests.fixtures.figures import line, marks, percentile
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.peers import peers_redis, plain_celery
from tests.fixtures.processes import until
from tests.fixtures.trial.trials import Mark

JOBS = 400
PAUSE_S = 0.02
BACKLOG = 50_000


def insert_backlog(ledger_env: LedgerEnv, request: Job, queue: Queue, count: int) -> None:
    """Insert jobs into a queue without a wake-up each."""
    statements = [new_job(request, queue=queue, publish_on_commit=False).insert() for _ in range(count)]
    with ledger_env.ledger.engine.begin() as connection:
        line: Connection[tuple[object, ...]] = driver(connection)
        with line.cursor() as cursor:
            cursor.executemany(statements[0][0], [values for _, values in statements])


def measure_our_waits(ledger_env: LedgerEnv, file: Path, queue: Queue, count: int = JOBS) -> list[float]:
    """Enqueue marks one by one; return the ms from before each enqueue, commit included, to the job's first line."""
    began: dict[str, int] = {}
    for number in range(count):
        name = f"{file.name}-{number}"
        began[name] = time.monotonic_ns()
        ledger_env.ledger.enqueue(Mark(file=str(file), name=name), queue=queue)
        time.sleep(PAUSE_S)
    until(lambda: len(marks(file)) >= count, 120, "every mark")
    return [(at - began[name]) / 1e6 for name, at in marks(file).items()]


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_a_job_starts_about_as_soon_as_plain_celerys_though_its_row_is_committed_first(
    ledger_env: LedgerEnv, redis_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger_env.start("tests.fixtures.trial", "critical").wait_until_running()
    broker = peers_redis(redis_url)
    os.environ["PLAIN_BROKER"] = broker
    from tests.fixtures.trial import plain  # noqa: PLC0415  # it connects to the broker of the line above

    ours: list[float] = []
    theirs: list[float] = []
    with plain_celery(broker, 4, tmp_path / "plain.log"):
        file = tmp_path / "warm"
        plain.leave_mark.delay(str(file), "warm")
        until(lambda: bool(marks(file)), 60, "plain Celery's start")
        measure_our_waits(ledger_env, tmp_path / "warm-ours", Queue.CRITICAL, 50)
        for part in range(4):  # in turns, so that a slower minute of the machine hits both
            ours += measure_our_waits(ledger_env, tmp_path / f"ours-{part}", Queue.CRITICAL, JOBS // 4)
            theirs += measure_plain_waits(plain, tmp_path / f"plain-{part}", JOBS // 4)
    with capsys.disabled():
        print("\nenqueue to start, idle, one job every 20 ms, in turns")
        print(line("ours: row committed, woken, claimed, started", ours))
        print(line("control: plain Celery, late acks, prefork", theirs))
        ratio = percentile(ours, 50) / percentile(theirs, 50)
        print(f"{'ours against the control, p50':52} {ratio:11.2f} x   (target: 1.5)")


def measure_plain_waits(plain: ModuleType, file: Path, count: int) -> list[float]:
    began: dict[str, int] = {}
    for number in range(count):
        name = f"{file.name}-{number}"
        began[name] = time.monotonic_ns()
        plain.leave_mark.delay(str(file), name)
        time.sleep(PAUSE_S)
    until(lambda: len(marks(file)) >= count, 120, "every mark")
    return [(at - began[name]) / 1e6 for name, at in marks(file).items()]


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_critical_does_not_wait_while_low_and_background_are_saturated(
    ledger_env: LedgerEnv, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for fleet in FLEETS:
        ledger_env.start("tests.fixtures.trial", fleet.name)
    ledger_env.start("tests.fixtures.trial.relay").wait_until_running()
    every = (Queue.CRITICAL, Queue.HIGH, Queue.NORMAL)
    for queue in every:
        measure_our_waits(ledger_env, tmp_path / f"warm-{queue}", queue, 20)
    idle = {queue: measure_our_waits(ledger_env, tmp_path / f"idle-{queue}", queue) for queue in every}
    slow = Mark(file=str(tmp_path / "slow"), name="slow", seconds=0.2)
    for queue in (Queue.LOW, Queue.BACKGROUND):
        insert_backlog(ledger_env, slow, queue, BACKLOG)
    bulk = next(fleet for fleet in FLEETS if Queue.LOW in fleet.queues)
    running = "SELECT count(*) AS n FROM job WHERE state = 'running' AND queue IN ('low', 'background')"
    until(lambda: ledger_env.rows(running)[0]["n"] == bulk.slots, 60, "every slot of the bulk fleet taken")
    busy = {queue: measure_our_waits(ledger_env, tmp_path / f"busy-{queue}", queue) for queue in every}
    low = ledger_env.rows(
        "SELECT extract(epoch FROM started_at - enqueued_at) * 1000 AS wait FROM job "
        "WHERE queue IN ('low', 'background') AND started_at IS NOT NULL AND name <> 'upkeep.canary'"
    )
    with capsys.disabled():
        print(f"\nenqueue to start while low and background have {BACKLOG} jobs of 200 ms each, every bulk slot taken")
        for queue in every:
            print(line(f"{queue}, idle", idle[queue]))
            print(line(f"{queue}, saturated below", busy[queue]))
        print(line("low and background themselves", [float(row["wait"]) for row in low]))
        ratio = percentile(busy[Queue.CRITICAL], 99) / percentile(idle[Queue.CRITICAL], 99)
        print(f"{'critical, p99, saturated against idle':52} {ratio:11.2f} x   (target: 1.5, and 10 ms)")


@pytest.mark.bench
@pytest.mark.timeout(300)
def test_twenty_jobs_run_at_once(ledger_env: LedgerEnv, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for fleet in FLEETS:
        ledger_env.start("tests.fixtures.trial", fleet.name).wait_until_running()
    file = tmp_path / "second"
    shares = {Queue.CRITICAL: 4, Queue.HIGH: 4, Queue.NORMAL: 4, Queue.LOW: 4, Queue.BACKGROUND: 4}
    for queue in shares:
        ledger_env.wait_for(
            "succeeded", ledger_env.enqueue(Mark(file=str(tmp_path / "warm"), name="warm"), queue=queue)
        )
    time.sleep(2)
    began = time.monotonic()
    jobs = [
        ledger_env.enqueue(Mark(file=str(file), name=f"{queue}-{number}", seconds=1.0), queue=queue)
        for queue, count in shares.items()
        for number in range(count)
    ]
    ledger_env.wait_for("succeeded", *jobs)
    took = time.monotonic() - began
    with capsys.disabled():
        print(f"\n{len(jobs)} jobs of 1 s over three fleets end after {took:.2f} s; one after another: {len(jobs)} s")
