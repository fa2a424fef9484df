"""Clocks that are wrong, a disk that is full and a start that is slow cost no job, and none runs twice.

The clock's test builds a small library with the C compiler, as libfaketime is seldom installed, and is skipped without
one; the disk's mounts a small tmpfs, and is skipped where that is not permitted.
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

from tests.fixtures.killable_stack import Plant, family
from tests.fixtures.ledger_env import Floor
from tests.fixtures.trial.trials import Effect
from tests.fixtures.wrong_clock import built, clock_wrong_by

HOUR_S = 3600
DISK = 6 * 2**20  # bytes


@pytest.fixture(scope="module")
def disk(home: Path) -> Iterator[Path | None]:
    """A small file system of its own for Valkey's data, or None."""
    folder = home / "valkey"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def plant(home: Path, disk: Path | None) -> Iterator[Plant]:  # noqa: ARG001  # mounted before the servers start
    """Servers of these tests' own, the queue on its small disk."""
    plant = Plant(home)
    yield plant
    plant.close()


@pytest.fixture(autouse=True)
def nothing_left(plant: Plant) -> Iterator[None]:
    """End what the test started."""
    yield
    plant.end([*plant.workers, *plant.relays])


def effects(floor: Floor) -> Counter[int]:
    return Counter(row["number"] for row in floor.rows("SELECT number FROM effect"))


@pytest.mark.chaos
def test_workers_and_relays_whose_clocks_differ_by_hours_run_every_job_once(plant: Plant, tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("a wrong clock needs a C compiler called cc")
    floor, library = plant.floor, built(tmp_path)
    shown = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"],
        env=dict(os.environ) | clock_wrong_by(library, HOUR_S),
        capture_output=True,
        check=True,
    )
    assert float(shown.stdout) > psutil.boot_time() + HOUR_S  # it does what it says
    for wrong_by in (-3 * HOUR_S, 3 * HOUR_S):
        plant.worker("normal", **clock_wrong_by(library, wrong_by))
        plant.relay(**clock_wrong_by(library, -wrong_by))
    plant.settle()
    (began,) = floor.rows("SELECT now()")

    asked = [floor.ask(Effect(number=number, seconds=0.3)) for number in range(60)]
    later = [floor.ask(Effect(number=60 + number), "run_at = now() + interval '2 seconds'") for number in range(10)]
    rows = floor.wait_for("succeeded", *asked, *later)

    (ended,) = floor.rows("SELECT now()")
    assert dict.fromkeys(range(70), 1) == effects(floor)
    assert {(1, 1)} == {(row["attempt"], row["fence"]) for row in rows}
    assert 2 == len({row["worker"].partition("/")[0] for row in rows})  # both took part
    assert all(row["run_at"] <= row["started_at"] <= row["finished_at"] for row in rows)
    assert all(began["now"] <= row["enqueued_at"] and row["finished_at"] <= ended["now"] for row in rows)


@pytest.mark.chaos
def test_a_disk_that_is_full_under_the_queue_loses_no_job(plant: Plant, disk: Path | None) -> None:
    if disk is None:
        pytest.skip("mounting a tmpfs is not permitted here")
    floor, numbers = plant.floor, iter(range(1000, 2000))
    plant.worker("normal")
    plant.relay()
    plant.settle()
    before = [floor.ask(Effect(number=next(numbers), seconds=0.2)) for _ in range(20)]
    ballast = disk / "ballast"
    fill(ballast)
    plant.until(lambda: refuses(floor), 60, "a queue that refuses")

    during = []
    for _ in range(40):
        during.append(floor.ask(Effect(number=next(numbers))))
        plant.rest(0.05)
    assert refuses(floor)
    ballast.unlink()
    after = [floor.ask(Effect(number=next(numbers))) for _ in range(20)]

    plant.wait_for("succeeded", *before, *during, *after)
    assert dict.fromkeys(range(1000, 1080), 1) == {
        number: count for number, count in effects(floor).items() if number >= 1000
    }


@pytest.mark.chaos
def test_a_worker_that_starts_slowly_behind_old_jobs_begins_them(plant: Plant) -> None:
    floor = plant.floor
    stopped = family(plant.valkey)
    for process in stopped:
        process.suspend()
    old = "run_at = now() - interval '1 minute', published_at = now()"
    waiting = [floor.ask(Effect(number=2000 + number), old, publish_on_commit=False) for number in range(4)]
    worker = plant.worker("normal")
    plant.relay()
    plant.rest(4)
    for process in stopped:
        process.resume()

    plant.wait_for("succeeded", *waiting)
    assert 0 == worker.restarts, plant.remarks()


def fill(file: Path) -> None:
    with suppress(OSError), file.open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))


def refuses(floor: Floor) -> bool:
    try:
        floor.redis.lpush("elsewhere", "x" * 10_000)
    except redis.RedisError as error:
        return "MISCONF" in str(error)
    return False
