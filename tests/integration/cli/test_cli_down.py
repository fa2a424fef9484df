"""`tickwork down`: it names what stays open at the venue, and neither waits for Postgres nor needs it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import create_server
from typing import Any

import pytest

from cli.local.home.folder import Home
from cli.local.home.state import write_state
from cli.local.processes.left_open import describe_left_open
from cli.local.processes.shutdown import shut_down
from cli.local.processes.supervisor import Supervisor
from shared.ids import new_id
from tests.fixtures.alert_steps import hold
from tests.fixtures.stack_config import stack_config
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.jobs_command import Terminal
from tests.integration.cli.shell import Shell

STACK = """
import json, signal, sys
from pathlib import Path
from cli.local.home.folder import Home
from cli.local.home.lock import Lock
from cli.local.home.state import write_state

home, more = Home(Path(sys.argv[1])), json.loads(sys.argv[2])
home.prepare()
lock = Lock(home.root)
lock.acquire()

def stop(*_):
    write_state(home, {"programs": [], "urls": {}, "environment": {}, **more})
    sys.exit()

signal.signal(signal.SIGTERM, stop)
print("runs", flush=True)
signal.pause()
"""
LEFT_OPEN = {
    "account_id": 20001,
    "account": "PRAC-V2-1",
    "positions": [{"contract_id": MNQ, "quantity": -2, "stopped_quantity": 2}],
    "orders": [
        {"id": str(new_id()), "contract_id": MNQ, "role": role, "side": "BUY", "quantity": 2, "state": "WORKING"}
        for role in ("STOP_LOSS", "ENTRY", "ENTRY")
    ],
}
WARNING = (
    "Warning: Tickwork watches nothing until the next start; at the venue stay: "
    "account 20001 (PRAC-V2-1): SHORT 2 MNQ H26, 1 stop loss order, 2 entry orders."
)
Start = Callable[[dict[str, Any]], subprocess.Popen[str]]


@pytest.fixture
def start_stack(shell: Shell) -> Iterator[Start]:
    """Starts the place of an `up`, which writes more into its state when it is told to stop."""
    started: list[subprocess.Popen[str]] = []

    def start(more: dict[str, Any]) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", STACK, str(shell.home), json.dumps(more)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert "runs\n" == process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def stop_stack(folder: Path, database_url: str) -> list[dict[str, Any]] | None:
    """Shut down a stack on this database that has no program left."""
    lines: list[str] = []
    stack = stack_config(folder, database_url)
    return shut_down(Supervisor(folder, lines.append, lambda: None), stack, lines.append)


@pytest.mark.parametrize(
    ("state", "warning"),
    [
        ({"left_open": [LEFT_OPEN]}, WARNING),
        ({"left_open": []}, ""),
        ({"left_open": None}, "Warning: what stays open at the venue is not known"),
        ({}, "Warning: what stays open at the venue is not known"),
    ],
    ids=["open", "flat", "not known", "killed"],
)
def test_down_names_what_stays_open_at_the_venue(
    shell: Shell, start_stack: Start, state: dict[str, Any], warning: str
) -> None:
    start_stack(state)
    text = shell.run("down")
    start_stack(state)
    found = shell.json("down", expected=0)

    assert (0, True) == (text.status, "stopped after" in text.stdout)
    assert text.stderr.startswith(warning)
    assert bool(warning) is bool(text.stderr)
    assert (True, state.get("left_open")) == (found["was_running"], found["left_open"])


def test_a_stack_that_stops_reads_the_positions_and_orders_that_stay(worker_env: WorkerEnv, tmp_path: Path) -> None:
    assert [] == stop_stack(tmp_path, worker_env.settings.database_url)
    hold(worker_env, 2)
    worker_env.entry_alert(limit_price=20000)
    worker_env.run_due_jobs()

    found = stop_stack(tmp_path, worker_env.settings.database_url)

    assert found is not None
    (account,) = found
    assert (worker_env.venue.account_id, [{"contract_id": MNQ, "quantity": 2, "stopped_quantity": 2}]) == (
        account["account_id"],
        account["positions"],
    )
    assert [("ENTRY", 1), ("STOP_LOSS", 2), ("TAKE_PROFIT", 2)] == sorted(
        (row["role"], row["quantity"]) for row in account["orders"]
    )
    line = describe_left_open(json.loads(json.dumps(found))) or ""
    assert all(part in line for part in ("LONG 2 MNQ H26", "1 stop loss order", "1 take profit order", "1 entry order"))


def open_stack(worker_env: WorkerEnv, shell: Shell, start_stack: Start) -> subprocess.Popen[str]:
    """Start the place of an `up` on the database of the worker environment."""
    process = start_stack({"left_open": []})
    environment = {"DATABASE_URL": worker_env.settings.database_url}
    write_state(Home(shell.home), {"programs": [], "urls": {}, "environment": environment})
    return process


def test_down_says_what_it_stops_watching_and_asks_at_a_terminal(
    worker_env: WorkerEnv, shell: Shell, start_stack: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(worker_env, 2)
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    monkeypatch.setattr("cli.commands.down._is_at_terminal", lambda: True)
    process = open_stack(worker_env, shell, start_stack)
    refused = shell.run("down")
    assert (130, None) == (refused.status, process.poll())
    assert "LONG 2 MNQ H26, its stop works at the venue. A stop of the stack ends what watches it" in refused.stderr

    confirmed = shell.run("down", "--yes")

    assert (0, True) == (confirmed.status, "ends what watches it" in confirmed.stderr)
    assert 0 == process.wait(60)


def test_down_does_not_ask_without_a_terminal_and_says_nothing_without_a_position(
    worker_env: WorkerEnv, shell: Shell, start_stack: Start
) -> None:
    open_stack(worker_env, shell, start_stack)
    flat = shell.run("down")
    hold(worker_env, 1)
    worker_env.execute("UPDATE orders SET state = 'CANCELLED' WHERE role = 'STOP_LOSS'")
    open_stack(worker_env, shell, start_stack)
    held = shell.run("down")

    assert (0, "") == (flat.status, flat.stderr)
    assert (0, True) == (held.status, "LONG 1 MNQ H26, NO stop works at the venue for 1." in held.stderr)


def test_a_stack_that_stops_does_not_wait_for_a_silent_postgres(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.local.processes.left_open._TIMEOUT_S", 0.1)
    with create_server(("127.0.0.1", 0)) as silent:
        assert None is stop_stack(tmp_path, f"postgresql://me:secret@127.0.0.1:{silent.getsockname()[1]}/tickwork")
