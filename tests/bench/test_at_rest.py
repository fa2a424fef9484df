"""What a stack at rest costs: CPU and memory of all its processes, with the market open and nothing to do."""

import time
from collections import defaultdict

import pytest

from tests.fixtures.process_costs import CpuMeter, list_processes
from tests.fixtures.stack import Stack

SETTLE_S, MEASURE_S = 30.0, 60.0


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_a_stack_at_rest(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """The memory is the proportional set size (PSS): what processes share counts once."""
    stack.up()
    time.sleep(SETTLE_S)  # bars are fetched, and the workers have run their first jobs
    meter = CpuMeter(stack)
    time.sleep(MEASURE_S)
    cpu = meter.read()
    memory: defaultdict[str, float] = defaultdict(float)
    count = 0
    for name, process in list_processes(stack):
        memory[name] += process.memory_full_info().pss
        count += 1

    with capsys.disabled():
        print(f"\na stack at rest, market open, {MEASURE_S:.0f} s")  # a bench prints
        for name, seconds in sorted(cpu.items(), key=lambda one: -one[1]):
            print(f"{name:<18}{seconds / MEASURE_S * 60:6.2f} s a minute{memory[name] / 1e6:8.0f} MB")  # as above
        share = sum(cpu.values()) / MEASURE_S
        print(f"all {count} processes: {share:.1%} of one core, {sum(memory.values()) / 1e6:,.0f} MB")  # as above
