"""`make up` and `make down` as a person types them first, but for the installation, which the tests run in already."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from shared.log import mask_secrets
from tests.fixtures.stack import Stack, eventually

ROOT = Path(__file__).resolve().parents[2]
# The rule of the environment is left out: these tests must not change the one that they run in.
MAKE = ["make", "--old-file=.venv/.locked", f"RUN={Path(sys.executable).parent}/"]


@pytest.fixture
def env(stack: Stack, tmp_path: Path) -> dict[str, str]:
    """The environment of a person with an empty home, outside of the `make test` that may run this test."""
    outer = {name: value for name, value in stack.env.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return outer | {"HOME": str(tmp_path)}


@pytest.fixture
def made(stack: Stack, env: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A `make up` that has just been started; what it prints is in the log of the stack."""
    with stack.log.open("wb") as log:
        process = subprocess.Popen(
            [*MAKE, "up", "UP_ARGS=--seed 7"], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    yield process
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)


def test_make_up_prints_the_addresses_of_what_it_started_and_make_down_ends_it(
    stack: Stack, env: dict[str, str], made: "subprocess.Popen[bytes]"
) -> None:
    eventually(
        "every program runs", lambda: made.poll() is not None or "Every program runs" in stack.log.read_text(), 240,
        explain=stack.log.read_text,
    )  # fmt: skip
    shown, urls = stack.log.read_text(), stack.written()["urls"]
    assert "seed 7" in shown
    assert [] == [name for name, url in urls.items() if mask_secrets(url) not in shown]
    assert 200 == requests.get(f"{urls['receiver']}/ready", timeout=60).status_code

    down = subprocess.run([*MAKE, "down"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (0, "") == (down.returncode, down.stderr)
    assert "stopped after" in down.stdout
    assert 0 == made.wait(60)
    assert {"stopped"} == {program["state"] for program in stack.written()["programs"]}
    assert [] == list(Path(env["HOME"]).iterdir()), "all state is in TICKWORK_HOME"
