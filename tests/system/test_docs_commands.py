"""Every command that README and docs/howto show, run as it stands there against a fresh stack."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.stack import Stack, eventually

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    *(
        ROOT / "docs" / "howto" / f"{name}.md"
        for name in (
            "first-alert", "follow-an-alert", "trigger-jobs", "trade-by-hand", "account-rules", "own-strategy",
            "replay", "real-venue", "own-servers", "recover", "add-a-job", "add-a-route", "check-a-gateway",
            "expose-the-receiver", "sign-alerts", "change-the-schedule", "read-lists", "flower", "ask-the-database",
            "statement", "notebook", "markets", "windows",
            "backtest", "bars", "heartbeat", "notifications", "prometheus", "opentelemetry", "telegram",
        )
    ),
]  # fmt: skip
WITHOUT_COMMANDS = {
    "add-a-job", "add-a-route", "backtest", "check-a-gateway", "heartbeat", "notebook", "opentelemetry", "own-servers",
    "prometheus", "real-venue", "replay", "windows",
}  # fmt: skip
BLOCK = re.compile(r"(?:<!-- not run: (?P<reason>[^>]+) -->\n)?```sh\n(?P<commands>.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def started(stack: Stack) -> Iterator[Stack]:
    stack.up()
    eventually("the account is reconciled", lambda: stack.rows("SELECT 1 FROM account WHERE reconciled_at IS NOT NULL"))
    yield stack
    stack.stop()


def filled_in(stack: Stack, commands: str) -> str:
    """Return the commands with ids of this stack in the place of ORDER_ID, ALERT_ID and JOB_ID."""
    if "ORDER_ID" in commands:
        ((order_id,),) = stack.rows("SELECT id FROM orders ORDER BY id DESC LIMIT 1")
        commands = commands.replace("ORDER_ID", str(order_id))
    if "ALERT_ID" in commands:
        newest = "SELECT id FROM alert ORDER BY id DESC LIMIT 1"
        ((alert_id,),) = eventually("an alert is stored", lambda: stack.rows(newest))
        commands = commands.replace("ALERT_ID", str(alert_id))
    if "JOB_ID" in commands:
        ended = "SELECT id FROM job WHERE name = 'metrics.roll_up' AND state = 'succeeded' LIMIT 1"
        ((job_id,),) = eventually("a job has ended", lambda: stack.rows(ended))
        stack.rows(
            f"UPDATE job SET state = 'dead', expires_at = NULL, error = 'a test' WHERE id = '{job_id}' RETURNING 1"
        )
        commands = commands.replace("JOB_ID", str(job_id))
    return commands


def run_script(script: str, env: dict[str, str]) -> tuple[int, str]:
    """Return the status and the output of a script; all that it started is killed when it takes too long."""
    shell = subprocess.Popen(
        ["bash", "-c", script], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = shell.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        return -1, f"stopped after 300 s: {shell.communicate()[0]}"
    return shell.returncode, output


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_fence_of_a_page_is_run_or_says_why_not(page: Path) -> None:
    text = page.read_text()
    opened = re.findall(r"^\s*```(.*)$", text, re.MULTILINE)[::2]

    assert set(opened) <= {"sh", "", "python", "sql"}
    assert opened.count("sh") == len(BLOCK.findall(text))
    assert page.stem in WITHOUT_COMMANDS or any(not block["reason"] for block in BLOCK.finditer(text))


def test_every_howto_page_is_among_them() -> None:
    assert set((ROOT / "docs" / "howto").glob("*.md")) == set(PAGES[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_succeeds(started: Stack, page: Path) -> None:
    env = started.env | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for block in BLOCK.finditer(page.read_text()):
        if block["reason"]:
            continue
        script = f"set -euo pipefail\n{filled_in(started, block['commands'])}"
        status, output = run_script(script, env)
        assert 0 == status, f"{script}\n{output[-5000:]}"
