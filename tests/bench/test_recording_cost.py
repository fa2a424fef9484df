"""What recording costs in CPU of our process and of Postgres, for an alert and a job, with it on and off by turns."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean, stdev

import psutil
import pytest

from shared.clock import machine_now
from shared.db.metrics import rollups
from shared.db.risk import entry_check
from shared.ledger.jobs.accounts import SnapshotAccounts
from tests.fixtures.alert_steps import run_until
from tests.fixtures.stack import LOOSE_RULES
from tests.fixtures.worker_env import WorkerEnv
from workers.call_log import CallBuffer

PAIRS, ALERTS, JOBS = 30, 6, 25


class CpuClock:
    """The CPU seconds of this process and of the Postgres that it works with."""

    def __init__(self, env: WorkerEnv) -> None:
        ((backend,),) = env.rows("SELECT pg_backend_pid()")
        self._postmaster = psutil.Process(backend).parent()

    def __call__(self) -> float:
        assert self._postmaster is not None
        servers = [self._postmaster, *self._postmaster.children(recursive=True)]
        return time.process_time() + sum(sum(one.cpu_times()[:2]) for one in servers if one.is_running())


def trade(env: WorkerEnv) -> None:
    """Handle alerts, each to its guarded fill, and close what they opened."""
    for _ in range(ALERTS):
        env.entry_alert()
        run_until(env, 1)
        env.flatten()
        run_until(env, 0)


def run_jobs(env: WorkerEnv) -> None:
    """Run jobs that call the venue."""
    for _ in range(JOBS):
        env.run(SnapshotAccounts())


def switch_off(patch: pytest.MonkeyPatch) -> None:
    """Drop what is recorded of calls, and measure no figures of a verdict."""
    patch.setattr(CallBuffer, "record", lambda *_: None)
    patch.setattr(entry_check, "measure_entry", lambda *_: None)


@dataclass(frozen=True)
class Work:
    """What is measured: `run` does it `count` times; recording may add `target` per cent."""

    name: str
    run: Callable[[WorkerEnv], None]
    count: int
    target: float


@pytest.mark.bench
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "work", [Work("alert", trade, ALERTS, 3.0), Work("job with a call", run_jobs, JOBS, 5.0)], ids=lambda one: one.name
)
def test_recording_costs_little_cpu(worker_env: WorkerEnv, capsys: pytest.CaptureFixture[str], work: Work) -> None:
    worker_env.execute(f"UPDATE account SET rule_changes = '{json.dumps(LOOSE_RULES)}', preset = 'practice-150k'")
    clock = CpuClock(worker_env)
    began_at = machine_now()
    work.run(worker_env)
    spent: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * PAIRS):
        is_on = (number + number // 2) % 2 == 0  # on off off on: neither is always first
        with pytest.MonkeyPatch.context() as patch:
            if not is_on:
                switch_off(patch)
            before = clock()
            work.run(worker_env)
            spent[is_on].append((clock() - before) / work.count)
    differences = [on - off for on, off in zip(spent[True], spent[False], strict=True)]
    off = mean(spent[False])
    percent, error = 100 * mean(differences) / off, 100 * 1.96 * stdev(differences) / math.sqrt(PAIRS) / off
    before = clock()
    with worker_env.ledger.engine.begin() as connection:
        rollups.roll_up(connection, machine_now().replace(second=0, microsecond=0), [])
    summed = clock() - before
    ((calls,),) = worker_env.rows("SELECT count(*) FROM api_call WHERE called_at >= %s", began_at)
    with capsys.disabled():
        print(f"\nCPU of one {work.name}, {PAIRS} pairs of {work.count}, with recording on and off by turns:")
        print(f"  off {1000 * off:.2f} ms, on {1000 * mean(spent[True]):.2f} ms")
        within = f"{percent - error:+.1f} to {percent + error:+.1f}"
        print(f"  recording: {percent:+.1f} % (95 %: {within}), target {work.target} %")
        print(f"  summing up all of it afterwards, {calls:,} calls: {1000 * summed:.0f} ms, once")
    assert calls
