"""`tickwork restart`: restarts one program of a running stack."""

import time

import click

from cli.client.program_names import require_program
from cli.console.output import print_json
from cli.console.params import json_option
from cli.local.home.folder import Home
from cli.local.home.lock import find_holder
from cli.local.home.state import Json, read_state
from cli.local.processes.restart_requests import request_restart
from shared.config import environment, home_folder
from shared.errors import RefusedError, SettingsError

_TIMEOUT_S = 60.0


@click.command("restart")
@click.argument("program")
@json_option
def command(program: str, *, as_json: bool) -> None:
    """Restart one program of the running stack. `tickwork status` lists them.

    A worker gets 10 s to finish its jobs; what is left is run again. The program has the settings and the code with
    which `up` was started: after a change of either, restart `up`.
    """
    home = Home(home_folder(environment()))
    if find_holder(home.root) is None:
        raise SettingsError(f"no stack runs in {home.root}: start one with `tickwork up`")
    known = {one["name"]: one for one in (read_state(home) or {"programs": []})["programs"]}
    name = require_program(program, known)
    before = known[name]
    request_restart(home, name)
    started_at = time.monotonic()
    while (now := _read(home, name)) is None or now["state"] != "running" or now["restarts"] == before["restarts"]:
        if find_holder(home.root) is None:
            raise RefusedError(f"the stack was stopped before {name} had started again")
        if time.monotonic() - started_at > _TIMEOUT_S:
            raise RefusedError(
                f"{name} does not run {_TIMEOUT_S:.0f} s after the request: `tickwork logs {name}` shows why"
            )
        time.sleep(0.1)  # noqa: TID251  # a command waits here, not a worker
    seconds = round(time.monotonic() - started_at, 1)
    if as_json:
        print_json({"program": name, "pid_before": before["pid"], "pid": now["pid"], "restarted_after_s": seconds})
    else:
        click.echo(f"{name} runs again after {seconds} s, as process {now['pid']}.")


def _read(home: Home, name: str) -> Json | None:
    programs = (read_state(home) or {"programs": []})["programs"]
    return next((one for one in programs if one["name"] == name), None)
