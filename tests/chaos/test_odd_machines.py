"""Wrong clocks, a full disk and a slow start lose no job, and no job runs twice.

The test of clocks builds a small library with the C compiler, as libfaketime is seldom installed, and is skipped
without a compiler. The test of the disk mounts a small tmpfs, and is skipped where that is not permitted.
"""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import redis

from tests.fixtures.killable_stack import KillableStack, family
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.trial.trials import Effect
from tests.fixtures.wrong_clock import build_wrong_clock, wrong_clock_env

HOUR_S = 3600
DISK = 6 * 2**20  # bytes


@pytest.fixture(scope="module")
def disk(home: Path) -> Iterator[Path | None]:
    """A small file system for Valkey's data, or None where a mount is not permitted."""
    folder = home / "valkey"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def killable_stack(home: Path, disk: Path | None) -> Iterator[KillableStack]:  # noqa: ARG001  # mounted first
    """Servers of these tests' own; the broker's data is on the small disk."""
    killable_stack = KillableStack(home)
    yield killable_stack
    killable_stack.close()


@pytest.fixture(autouse=True)
def end_programs(killable_stack: KillableStack) -> Iterator[None]:
    """End the programs that the test started."""
    yield
    killable_stack.end([*killable_stack.workers, *killable_stack.relays])


def count_effects(ledger_env: LedgerEnv) -> Counter[int]:
    return Counter(row["number"] for row in ledger_env.rows("SELECT number FROM effect"))


@pytest.mark.chaos
def test_workers_and_relays_whose_clocks_differ_by_hours_run_every_job_once(
    killable_stack: KillableStack, tmp_path: Path
) -> None:
    if shutil.which("cc") is None:
        pytest.skip("a wrong clock needs a C compiler called cc")
    ledger_env, library = killable_stack.ledger_env, build_wrong_clock(tmp_path)
    shown = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"],
        env=dict(os.environ) | wrong_clock_env(library, HOUR_S),
        capture_output=True,
        check=True,
    )
    assert float(shown.stdout) > psutil.boot_time() + HOUR_S  # the library works
    for wrong_by in (-3 * HOUR_S, 3 * HOUR_S):
        killable_stack.worker("normal", **wrong_clock_env(library, wrong_by))
        killable_stack.relay(**wrong_clock_env(library, -wrong_by))
    killable_stack.settle()
    (began,) = ledger_env.rows("SELECT now()")

    asked = [ledger_env.enqueue(Effect(number=number, seconds=0.3)) for number in range(60)]
    later = [
        ledger_env.enqueue(Effect(number=60 + number), "run_at = now() + interval '2 seconds'") for number in range(10)
    ]
    rows = ledger_env.wait_for("succeeded", *asked, *later)

    (ended,) = ledger_env.rows("SELECT now()")
    assert dict.fromkeys(range(70), 1) == count_effects(ledger_env)
    assert {1} == {row["attempt"] for row in rows}
    assert 2 == len({row["worker_id"] for row in rows})  # both workers took part
    assert all(row["run_at"] <= row["started_at"] <= row["finished_at"] for row in rows)
    assert all(began["now"] <= row["enqueued_at"] and row["finished_at"] <= ended["now"] for row in rows)


@pytest.mark.chaos
def test_a_disk_that_is_full_under_the_queue_loses_no_job(killable_stack: KillableStack, disk: Path | None) -> None:
    if disk is None:
        pytest.skip("mounting a tmpfs is not permitted here")
    ledger_env, numbers = killable_stack.ledger_env, iter(range(1000, 2000))
    killable_stack.worker("normal")
    killable_stack.relay()
    killable_stack.settle()
    before = [ledger_env.enqueue(Effect(number=next(numbers), seconds=0.2)) for _ in range(20)]
    ballast = disk / "ballast"
    fill_disk(ballast)
    killable_stack.until(lambda: is_refusing_writes(ledger_env), 60, "a broker that refuses writes")

    during = []
    for _ in range(40):
        during.append(ledger_env.enqueue(Effect(number=next(numbers))))
        killable_stack.run_for(0.05)
    assert is_refusing_writes(ledger_env)
    ballast.unlink()
    after = [ledger_env.enqueue(Effect(number=next(numbers))) for _ in range(20)]

    killable_stack.wait_for("succeeded", *before, *during, *after)
    assert dict.fromkeys(range(1000, 1080), 1) == {
        number: count for number, count in count_effects(ledger_env).items() if number >= 1000
    }


@pytest.mark.chaos
def test_a_worker_that_starts_slowly_behind_old_jobs_begins_them(killable_stack: KillableStack) -> None:
    ledger_env = killable_stack.ledger_env
    stopped = family(killable_stack.valkey)
    for process in stopped:
        process.suspend()
    old = "run_at = now() - interval '1 minute', published_at = now()"
    waiting = [ledger_env.enqueue(Effect(number=2000 + number), old, publish_on_commit=False) for number in range(4)]
    worker = killable_stack.worker("normal")
    killable_stack.relay()
    killable_stack.run_for(4)
    for process in stopped:
        process.resume()

    killable_stack.wait_for("succeeded", *waiting)
    assert 0 == worker.restarts, killable_stack.self_exit_reasons()


def fill_disk(file: Path) -> None:
    with suppress(OSError), file.open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))


def is_refusing_writes(ledger_env: LedgerEnv) -> bool:
    try:
        ledger_env.redis.lpush("elsewhere", "x" * 10_000)
    except redis.RedisError as error:
        return "MISCONF" in str(error)
    return False
