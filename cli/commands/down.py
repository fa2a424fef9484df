"""`tickwork down`: stops a running `tickwork up` from another shell."""

import os
import signal
import sys
import time
from pathlib import Path

import click

from cli.console.output import print_json
from cli.console.params import json_option, yes_option
from cli.local.home.folder import Home
from cli.local.home.lock import find_holder
from cli.local.home.state import read_state
from cli.local.processes.left_open import describe_left_open, describe_unwatched, start_reading
from shared.config import environment, home_folder

_TIMEOUT_S = 60.0


@click.command("down")
@yes_option
@json_option
def command(*, yes: bool, as_json: bool) -> None:
    """Stop the stack. Stop its programs in order, and wait until all have ended.

    Positions and orders stay open at the venue; they are named at the end. With a position open it first says what
    stops watching it, and asks at a terminal.
    """
    home = home_folder(environment())
    pid = find_holder(home)
    if pid is None:
        if as_json:
            print_json({"home": str(home), "was_running": False, "stopped_after_s": None, "left_open": None})
        else:
            click.echo(f"No stack runs in {home}.")
        return
    if not as_json:
        _confirm(home, is_confirmed=yes)
        click.echo(f"Stopping the stack of process {pid}", nl=False)
    os.kill(pid, signal.SIGTERM)
    started_at = time.monotonic()
    while find_holder(home) is not None:
        if time.monotonic() - started_at > _TIMEOUT_S:
            raise click.ClickException(
                f"process {pid} did not end within {_TIMEOUT_S:.0f} s: read the output in its terminal"
            )
        time.sleep(0.25)  # noqa: TID251  # a command waits here, not a worker
        if not as_json:
            click.echo(".", nl=False)
    seconds = time.monotonic() - started_at
    left_open = (read_state(Home(home)) or {}).get("left_open")
    if as_json:
        print_json(
            {"home": str(home), "was_running": True, "stopped_after_s": round(seconds, 1), "left_open": left_open}
        )
    else:
        click.echo(f" stopped after {seconds:.1f} s.")
        if (warning := describe_left_open(left_open)) is not None:
            click.echo(warning, err=True)


def _confirm(home: Path, *, is_confirmed: bool) -> None:
    """Say what a stop leaves without a watch, and ask at a terminal."""
    database_url = (read_state(Home(home)) or {}).get("environment", {}).get("DATABASE_URL")
    warning = describe_unwatched(start_reading(database_url)()) if database_url else None
    if warning is None:
        return
    click.echo(warning, err=True)
    if not is_confirmed and _is_at_terminal():
        click.confirm("Stop the stack?", abort=True)


def _is_at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
