"""`tickwork down`: stops, from another shell, what `tickwork up` runs."""

import os
import signal
import time

import click

from cli.console.output import print_json
from cli.local.home.lock import holder
from shared.config import load_settings

_LONGEST_S = 60.0


@click.command("down")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def command(*, as_json: bool) -> None:
    """Stop everything in order; finished when nothing runs any more."""
    home = load_settings().home
    pid = holder(home)
    if pid is None:
        if as_json:
            print_json({"stopped": False, "reason": f"no stack runs in {home}"})
        else:
            click.echo(f"No stack runs in {home}.")
        return
    if not as_json:
        click.echo(f"Stopping the stack of process {pid}", nl=False)
    os.kill(pid, signal.SIGTERM)
    began = time.monotonic()
    while holder(home) is not None:
        if time.monotonic() - began > _LONGEST_S:
            raise click.ClickException(f"process {pid} did not end within {_LONGEST_S:.0f} s: look at its terminal")
        time.sleep(0.25)  # noqa: TID251  # a person waits here, no slot is held
        if not as_json:
            click.echo(".", nl=False)
    seconds = time.monotonic() - began
    if as_json:
        print_json({"stopped": True, "seconds": round(seconds, 1)})
    else:
        click.echo(f" stopped after {seconds:.1f} s.")
