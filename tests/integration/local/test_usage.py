"""What programs use: read of real processes with their children, and stored in Postgres while it takes it."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from cli.local.processes import usage_recorder
from cli.local.processes.usage import UsageSampler
from cli.local.processes.usage_recorder import UsageRecorder
from shared.db.engine import make_engine
from tests.fixtures.ledger_env import without_database
from tests.fixtures.processes import until

BUSY = [sys.executable, "-c", "while True: pass"]
FAMILY = ["sh", "-c", "sleep 600 & sleep 600"]
Start = Callable[[list[str]], "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process; it ends with the test, and so do its children."""
    running: list[subprocess.Popen[bytes]] = []

    def start_one(command: list[str]) -> "subprocess.Popen[bytes]":
        running.append(subprocess.Popen(command, start_new_session=True))
        return running[-1]

    yield start_one
    for process in running:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, 9)
        process.wait()


def test_a_program_has_the_memory_and_the_count_of_all_its_processes(start: Start) -> None:
    family, sampler = start(FAMILY), UsageSampler()
    until(lambda: len(psutil.Process(family.pid).children()) == 2, what="two children")
    (found,) = sampler.sample({"family": family.pid})
    members = [psutil.Process(family.pid), *psutil.Process(family.pid).children()]

    assert ("family", 3) == (found.name, found.processes)
    assert found.memory_mb <= sum(one.memory_info().rss for one in members) / 2**20
    psutil.Process(family.pid).children()[0].kill()
    until(lambda: sampler.sample({"family": family.pid})[0].processes == 2, what="one child less")


def test_children_of_another_program_are_not_counted_twice(start: Start) -> None:
    family = start(FAMILY)
    until(lambda: len(psutil.Process(family.pid).children()) == 2, what="two children")
    child = psutil.Process(family.pid).children()[0].pid
    found = {one.name: one.processes for one in UsageSampler().sample({"family": family.pid, "child": child})}

    assert {"family": 2, "child": 1} == found


def test_the_cpu_is_that_since_the_sample_before_also_of_a_process_that_is_new(start: Start) -> None:
    sampler, busy, idle = UsageSampler(), start(BUSY), start(FAMILY)
    pids = {"busy": busy.pid, "idle": idle.pid}
    assert [0, 0] == [one.cpu_percent for one in sampler.sample(pids)]

    def read() -> dict[str, float]:
        return {one.name: one.cpu_percent for one in sampler.sample(pids)}

    until(lambda: read()["busy"] > 0, what="the CPU of a loop")
    end(busy)
    pids["busy"] = start(BUSY).pid
    until(lambda: read().get("busy", 0) > 0, what="the CPU of the next loop")


def test_a_program_that_was_started_again_has_a_short_uptime_and_one_that_ended_has_no_row(start: Start) -> None:
    sampler, first = UsageSampler(), start(FAMILY)

    def read_uptime_s() -> float:
        return sampler.sample({"program": first.pid})[0].uptime_s

    until(lambda: read_uptime_s() > 0.5, what="half a second")
    second = start(FAMILY)
    assert sampler.sample({"program": second.pid})[0].uptime_s < read_uptime_s()
    end(second)
    assert [] == sampler.sample({"program": second.pid})


class Recording:
    """A recorder on a database, with what it has stored and shown."""

    def __init__(self, database_url: str, folder: Path, pids: dict[str, int]) -> None:
        self.database_url = database_url
        self.lines: list[str] = []
        self.engine = make_engine(database_url, program="up", pool_size=1, statement_timeout_s=2)
        self.recorder = UsageRecorder(self.engine, folder, lambda: dict(pids), self.lines.append)
        self.recorder.start()

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(sql.encode(), values).fetchall()

    def count(self, program: str) -> int:
        """Return how often the memory of a program was stored."""
        stored = "SELECT coalesce(sum(count), 0)::int FROM gauge_rollup WHERE name = 'memory_mb' AND source LIKE %s"
        found: int = self.rows(stored, f"%/{program}")[0][0]
        return found

    def wait_for_more(self, program: str) -> None:
        before = self.count(program)
        until(lambda: self.count(program) > before, what=f"another sample of {program}")

    def close(self) -> None:
        self.recorder.close()
        self.engine.dispose()


@pytest.fixture
def pids(start: Start) -> dict[str, int]:
    return {"family": start(FAMILY).pid, "busy": start(BUSY).pid}


@pytest.fixture
def recording(
    database_url: str, tmp_path: Path, pids: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Recording]:
    monkeypatch.setattr(usage_recorder, "RECORD_EVERY_S", 0.2)
    recording = Recording(database_url, tmp_path, pids)
    yield recording
    recording.close()


def test_each_sample_of_the_programs_and_of_the_computer_is_stored(recording: Recording) -> None:
    recording.wait_for_more("busy")
    recording.wait_for_more("busy")

    names = "SELECT kind, array_agg(DISTINCT name ORDER BY name) FROM gauge_rollup GROUP BY 1 ORDER BY 1"
    assert [
        ("host", ["cpu_percent", "disk_free_mb", "load_1m", "memory_percent"]),
        ("program", ["cpu_percent", "memory_mb", "processes", "uptime_s"]),
    ] == recording.rows(names)
    assert [(True,)] == recording.rows(
        "SELECT max(max) > 0 FROM gauge_rollup WHERE name = 'cpu_percent' AND source LIKE '%%/busy'"
    )
    assert [(1,)] == recording.rows("SELECT count(DISTINCT count)::int FROM gauge_rollup WHERE source LIKE '%%/busy'")


def test_a_program_that_ends_is_no_longer_stored_and_one_that_starts_is(
    recording: Recording, pids: dict[str, int], start: Start
) -> None:
    recording.wait_for_more("family")
    del pids["family"]
    pids["later"] = start(FAMILY).pid
    recording.wait_for_more("later")
    before = recording.count("family")
    recording.wait_for_more("later")

    assert before == recording.count("family")


def test_while_postgres_is_away_samples_are_lost_it_says_so_once_and_goes_on(recording: Recording) -> None:
    recording.wait_for_more("busy")
    with without_database(recording.database_url):
        until(lambda: recording.lines != [], what="a line")
    recording.wait_for_more("busy")
    recording.wait_for_more("busy")

    (line,) = recording.lines
    assert line.startswith("figures of the programs are not recorded until Postgres takes them")


def test_it_ends_at_once_also_while_postgres_is_away(recording: Recording) -> None:
    recording.wait_for_more("busy")
    with without_database(recording.database_url):
        until(lambda: recording.lines != [], what="a line")
        recording.close()

    assert "usage" not in {thread.name for thread in threading.enumerate()}
