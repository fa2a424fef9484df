"""How long a command takes, beside a bare Python and psql: with our files compiled, and not."""

import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.stack import TICKWORK, Stack

ROOT = Path(__file__).resolve().parents[2]
RUNS = 10
TARGETS = {"--help": 0.15, "status": 0.3, "jobs": 0.3}


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_the_time_of_a_command(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.up()
    control = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "psql": [*TICKWORK, "db", "psql", "-c", "SELECT 1"],
    }
    rows = [(name, measure(command, stack.env)) for name, command in control.items()]
    compiled = stack.env | {"PYTHONDONTWRITEBYTECODE": ""}
    for name, target in TARGETS.items():
        measure([*TICKWORK, name], compiled)  # which compiles
        rows.append((f"{name} (target: {target} s)", measure([*TICKWORK, name], compiled)))
        forget_compiled()
        not_compiled = stack.env | {"PYTHONDONTWRITEBYTECODE": "1"}
        rows.append((f"{name}, our files not compiled", measure([*TICKWORK, name], not_compiled)))
    with capsys.disabled():
        print(f"\nmedian of {RUNS} runs of a command")
        for name, median in rows:
            print(f"{name:32} {median:6.2f} s")


def forget_compiled() -> None:
    """Delete the compiled files of our own packages; those of libraries are compiled when they are installed."""
    for package in ("cli", "shared"):
        for folder in (ROOT / package).rglob("__pycache__"):
            shutil.rmtree(folder, ignore_errors=True)


def measure(command: list[str], env: dict[str, str]) -> float:
    """Return the median duration of a command in seconds."""
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run(command, env=env, capture_output=True, check=True, timeout=60)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)
