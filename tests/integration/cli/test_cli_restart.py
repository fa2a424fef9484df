"""`tickwork restart` and what it refuses; tests/system/test_up.py restarts a program of a real stack."""

from cli.local.home.folder import Home
from cli.local.home.lock import Lock
from cli.local.home.state import write_state
from tests.integration.cli.shell import Shell


def test_restart_needs_a_stack_that_runs(shell: Shell) -> None:
    refused = shell.run("restart", "relay")

    assert (1, f"tickwork: no stack runs in {shell.home}: start one with `tickwork up`\n") == (
        refused.status,
        refused.stderr,
    )


def test_restart_refuses_an_unknown_program_with_the_nearest(shell: Shell) -> None:
    home = Home(shell.home)
    home.prepare()
    programs = [{"name": name, "pid": 1, "state": "running", "restarts": 0} for name in ("worker-high", "relay")]
    write_state(home, {"programs": programs, "urls": {}, "environment": {}})
    lock = Lock(home.root)
    lock.acquire()
    try:
        refused = shell.run("restart", "worker-hihg")
    finally:
        lock.close()

    assert (1, "tickwork: unknown program 'worker-hihg': did you mean worker-high?\n") == (
        refused.status,
        refused.stderr,
    )


def test_the_version_is_printed(shell: Shell) -> None:
    assert shell.run("--version").stdout.startswith("tickwork 0.")
