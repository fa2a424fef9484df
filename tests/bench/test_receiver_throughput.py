"""Durable alerts a second and the time to their answer, on one core, beside servers that store less."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from shared.config import environment
from tests.fixtures.figures import line, percentile
from tests.fixtures.http_load import Order, Result, run_load
from tests.fixtures.killable_stack import KillableStack
from tests.fixtures.peers import running_program
from tests.fixtures.processes import free_port, until
from tests.fixtures.receiver_process import ReceiverProcess
from tests.fixtures.trial.receiver_controls import KINDS, PATH

RECEIVER_CORE, OTHER_CORE = 0, 1
CONNECTIONS = 64
ALERTS = 20_000
PER_SECOND, OPEN_ALERTS = 1000, 10_000
ROUNDS = 3  # the best counts: another program may take a core meanwhile
LEAST_SHARE = 0.25  # of the rate of the same handler without its row, on any computer; the target is 0.5
NAMES = {
    "without-row": "the same Starlette handler without its row",
    "memory": "a bare ASGI app that only queues in memory",
    "celery": "a Starlette handler that sends a Celery task",
}
MISSING = """
    SELECT count(*) FROM unnest(CAST(:ids AS uuid[])) AS sent (id)
    WHERE NOT EXISTS (SELECT 1 FROM job WHERE job.id = sent.id)
       OR NOT EXISTS (SELECT 1 FROM alert WHERE job_id = sent.id AND verdict = 'accepted')
"""


@pytest.fixture
def stack() -> Iterator[KillableStack]:
    """A Postgres that flushes its commits to the disk, and a Valkey."""
    folder = Path(tempfile.mkdtemp(prefix="tickwork-bench-"))
    folder.chmod(0o755)
    stack = KillableStack(folder)
    yield stack
    stack.close()
    shutil.rmtree(folder, ignore_errors=True)


def pin(pid: int, core: int) -> None:
    """Let a process, its threads and its children run on one core, where the system has such a setting."""
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) <= OTHER_CORE:
        return
    parent = psutil.Process(pid)
    for process in (parent, *parent.children(recursive=True)):
        for thread in process.threads():
            os.sched_setaffinity(thread.id, {core})


@contextmanager
def control(kind: str, broker_url: str, log: Path) -> Iterator[int]:
    """Run a control on the receiver's core; yield its port."""
    port = free_port()
    command = [sys.executable, "-m", "tests.fixtures.trial.receiver_controls", kind, str(port)]
    with running_program(command, environment() | {"PLAIN_BROKER": broker_url}, log) as process:
        until(lambda: any(one.laddr.port == port for one in psutil.Process(process.pid).net_connections()))
        pin(process.pid, RECEIVER_CORE)
        yield port


def best(results: list[Result]) -> Result:
    return max(results, key=lambda result: result.per_second)


def quickest(results: list[Result]) -> list[float]:
    return min((result.waits_ms for result in results), key=lambda waits_ms: percentile(waits_ms, 99))


def report(name: str, result: Result) -> str:
    waits = f"p50 {percentile(result.waits_ms, 50):6.2f} ms   p99 {percentile(result.waits_ms, 99):6.2f} ms"
    return f"{name:52} {result.per_second:8.0f}/s   {waits}   load generator {result.cpu_s / result.seconds:4.0%}"


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_durable_alerts_a_second_on_one_core(
    stack: KillableStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results: dict[str, list[Result]] = {kind: [] for kind in ("ours", *KINDS)}
    open_loop, control_open_loop = [], []
    with ExitStack() as running:
        database_url, log = stack.ledger_env.database_url, tmp_path / "receiver.log"
        receiver = ReceiverProcess(database_url, stack.broker.url, log, log_level="INFO")
        running.callback(receiver.stop)
        pin(receiver.process.pid, RECEIVER_CORE)
        for server in (stack.postgres, stack.valkey):
            pin(server.pid or 0, OTHER_CORE)
        targets = {kind: running.enter_context(control(kind, stack.control_url, tmp_path / kind)) for kind in KINDS}
        ours = int(receiver.url.rsplit(":", 1)[-1])
        accepted = []
        for _ in range(ROUNDS):
            path = f"/hooks/tv/{receiver.token}"
            order = Order(ours, path, ALERTS, CONNECTIONS, core=OTHER_CORE)
            results["ours"].append(run_load(order, tmp_path))
            order = Order(ours, path, OPEN_ALERTS, CONNECTIONS, PER_SECOND, core=OTHER_CORE)
            open_loop.append(run_load(order, tmp_path))
            accepted += results["ours"][-1].job_ids + open_loop[-1].job_ids
            for kind, port in targets.items():
                order = Order(port, PATH, ALERTS // 4, CONNECTIONS, core=OTHER_CORE)
                results[kind].append(run_load(order, tmp_path))
            order = Order(targets["without-row"], PATH, OPEN_ALERTS // 2, CONNECTIONS, PER_SECOND, core=OTHER_CORE)
            control_open_loop.append(run_load(order, tmp_path))
        ((missing,),) = receiver.rows(MISSING, ids=accepted)
        stored = receiver.count("job")
    for result in (*results["ours"], *open_loop):
        assert {"202": len(result.waits_ms)} == result.statuses
    figures = {kind: best(some) for kind, some in results.items()}
    with capsys.disabled():
        print(f"\nserver on core {RECEIVER_CORE}; Postgres, Valkey and the load generator on core {OTHER_CORE}")
        print(f"{CONNECTIONS} connections, the best of {ROUNDS} rounds")
        print(report("ours: the row and its job committed", figures["ours"]))
        for kind in KINDS:
            print(report(f"control: {NAMES[kind]}", figures[kind]))
        print(line(f"ours at {PER_SECOND:,}/s, open loop", quickest(open_loop)) + "   (target: p99 5 ms)")
        print(line(f"control without its row at {PER_SECOND:,}/s", quickest(control_open_loop)))
        for kind in KINDS:
            ratio = figures["ours"].per_second / figures[kind].per_second
            print(f"{f'ours against {NAMES[kind]}':62} {ratio:6.1%}")
        print(f"{len(accepted):,} answered with 202, of which {missing} have no job and alert; {stored:,} jobs stored")
    assert 0 == missing
    assert len(set(accepted)) == len(accepted) == stored
    assert LEAST_SHARE <= figures["ours"].per_second / figures["without-row"].per_second
