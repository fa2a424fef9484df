"""What a stack at rest costs: CPU and memory of all its processes, with the market open and nothing to do."""

import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.fixtures.stack import Stack

SETTLE_S, MEASURE_S = 30.0, 60.0


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_a_stack_at_rest(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """The memory is the proportional set size (PSS): what processes share counts once."""
    stack.up()
    time.sleep(SETTLE_S)  # bars are fetched, and the workers have run their first jobs
    before = {process.pid: _cpu_s(process) for _, process in _processes(stack)}
    time.sleep(MEASURE_S)
    cpu: defaultdict[str, float] = defaultdict(float)
    memory: defaultdict[str, float] = defaultdict(float)
    count = 0
    for name, process in _processes(stack):
        cpu[name] += _cpu_s(process) - before.get(process.pid, 0.0)
        memory[name] += process.memory_full_info().pss
        count += 1

    with capsys.disabled():
        print(f"\na stack at rest, market open, {MEASURE_S:.0f} s")  # a bench prints
        for name, seconds in sorted(cpu.items(), key=lambda one: -one[1]):
            print(f"{name:<18}{seconds / MEASURE_S * 60:6.2f} s a minute{memory[name] / 1e6:8.0f} MB")  # as above
        share = sum(cpu.values()) / MEASURE_S
        print(f"all {count} processes: {share:.1%} of one core, {sum(memory.values()) / 1e6:,.0f} MB")  # as above


def _processes(stack: Stack) -> Iterator[tuple[str, psutil.Process]]:
    """Yield every process of the stack with the name of its program, a Linux thread name of at most 15 characters."""
    root = psutil.Process(stack.pid)
    yield "up", root
    for process in root.children(recursive=True):
        name = Path(f"/proc/{process.pid}/comm").read_text(encoding="utf-8").strip()
        yield "postgres" if name.startswith("postgres") else name, process


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
