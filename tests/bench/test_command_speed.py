"""How long a command takes, beside a bare Python and psql: with compiled files, and without."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.stack import TICKWORK, Stack

RUNS = 10
TARGETS = {"--help": 0.15, "status": 0.3, "jobs": 0.3}


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_the_time_of_a_command(stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stack.up()
    uncompiled = {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    control = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "psql": [*TICKWORK, "db", "psql", "-c", "SELECT 1"],
    }
    rows = [(name, measure(command, stack.env), None) for name, command in control.items()]
    for name, target in TARGETS.items():
        rows.append((name, measure([*TICKWORK, name], stack.env), target))
        rows.append((f"{name}, nothing compiled", measure([*TICKWORK, name], stack.env | uncompiled), target))
    with capsys.disabled():
        print(f"\nmedian of {RUNS} runs of a command")
        for name, median, target in rows:
            print(f"{name:28} {median:6.2f} s" + (f"  (target: {target} s)" if target else ""))


def measure(command: list[str], env: dict[str, str]) -> float:
    """Return the median duration of a command in seconds."""
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run(command, env=env, capture_output=True, check=True, timeout=60)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)
