"""What a stack at rest costs: CPU and memory of all its processes, with nothing to do, the market open and closed."""

import time
from collections import defaultdict

import pytest

from tests.fixtures.process_costs import CpuMeter, list_processes
from tests.fixtures.stack import Stack

SETTLE_S, MEASURE_S = 90.0, 60.0
LAST_MINUTE_OF_A_WEEK = "2026-03-06T15:59"


@pytest.mark.bench
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("market", "arguments"),
    [("open", ()), ("closed", ("--fresh", "--at", LAST_MINUTE_OF_A_WEEK))],
    ids=["open", "closed"],
)
def test_a_stack_at_rest(
    stack: Stack, market: str, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """The memory is the proportional set size (PSS): what processes share counts once."""
    stack.stop()
    stack.up(*arguments)
    time.sleep(SETTLE_S)  # bars are fetched, the workers have run their first jobs, and a market to be closed is
    meter = CpuMeter(stack)
    time.sleep(MEASURE_S)
    cpu = meter.read()
    memory: defaultdict[str, float] = defaultdict(float)
    count = 0
    for name, process in list_processes(stack):
        memory[name] += process.memory_full_info().pss
        count += 1

    with capsys.disabled():
        print(f"\na stack at rest, market {market}, {MEASURE_S:.0f} s")  # a bench prints
        for name, seconds in sorted(cpu.items(), key=lambda one: -one[1]):
            print(f"{name:<18}{seconds / MEASURE_S * 60:6.2f} s a minute{memory[name] / 1e6:8.0f} MB")  # as above
        share = sum(cpu.values()) / MEASURE_S
        print(f"all {count} processes: {share:.1%} of one core, {sum(memory.values()) / 1e6:,.0f} MB")  # as above
