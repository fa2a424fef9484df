"""`tickwork conformance`: compares a gateway, live or simulated, with our simulator."""

import os
import sys
from pathlib import Path

import click

from cli.console.params import json_option
from shared.config import environment, own_settings_file

_KEY = "TICKWORK_VENUE_KEY"
_EXAMPLES = """\b
Examples:
  tickwork conformance --url http://127.0.0.1:8765 --user simulator
  tickwork conformance --url https://api.topstepx.com --user NAME
  tickwork conformance --url https://api.topstepx.com --user NAME --account ID --orders
"""


@click.command("conformance", epilog=_EXAMPLES)
@click.option("--url", metavar="URL", help="REST address of the gateway; default: TICKWORK_VENUE_URL.")
@click.option("--hub-url", metavar="URL", help="Address of both hubs; default: follows from --url.")
@click.option("--user", metavar="NAME", help="Platform login name; default: TICKWORK_VENUE_USER.")
@click.option("--account", type=int, metavar="ID", help="Account to ask about; default: the first one.")
@click.option("--contract", metavar="ROOT", default="MNQ", help="Micro contract to ask about; default: MNQ.")
@click.option(
    "--seconds", type=click.IntRange(1, 600), metavar="N", default=20, help="Time to listen at each hub; default: 20."
)
@click.option("--orders", is_flag=True, help="Also place orders, on a practice account that --account names.")
@click.option(
    "--clean-up-seconds", type=click.IntRange(1, 600), metavar="N", default=90,
    help="Time to try to clean up after --orders; default: 90.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask for a confirmation of --orders.")
@click.option("--rate-limits", is_flag=True, help="Also exceed the limit of requests for bars once.")
@click.option("--log-out", is_flag=True, help="Also log one of its sessions out; this may end your others.")
@click.option(
    "--report", type=click.Path(path_type=Path), metavar="FILE",
    help="Report to write; default: gateway-report-<date>.md in this folder.",
)  # fmt: skip
@json_option
def command(
    *,
    url: str | None,
    hub_url: str | None,
    user: str | None,
    account: int | None,
    contract: str,
    seconds: int,
    orders: bool,
    clean_up_seconds: int,
    yes: bool,
    rate_limits: bool,
    log_out: bool,
    report: Path | None,
    as_json: bool,
) -> None:
    """Compare a gateway with the simulator, question by question.

    It logs in and reads; it places no order unless you give --orders. The API key comes from your settings, or from a
    prompt. The report is one Markdown file without your names, account ids and tokens. Exit status 0: nothing
    differs; 1: something differs; 2: invalid options, no answer, or a question that an error left open.
    """
    values = {
        "--url": url, "--hub-url": hub_url, "--user": user, "--account": account, "--contract": contract,
        "--seconds": seconds, "--clean-up-seconds": clean_up_seconds, "--report": report,
    }  # fmt: skip
    flags = {
        "--orders": orders, "--yes": yes, "--rate-limits": rate_limits, "--log-out": log_out, "--json": as_json
    }  # fmt: skip
    arguments = [f"{name}={value}" for name, value in values.items() if value is not None]
    arguments += [name for name, is_given in flags.items() if is_given]
    env = own_settings_file().complete(environment())
    if not env.get(_KEY):
        env[_KEY] = _ask_for_key()
    sys.stdout.flush()
    # It replaces this process, so that Ctrl-C and the terminal belong to it: it must be able to clean up its orders.
    program = [sys.executable, "-m", "simulator.conformance", *arguments]
    os.execve(sys.executable, program, env)  # noqa: S606 - our own program, without a shell


def _ask_for_key() -> str:
    """Return the API key as typed at the terminal, or as the one line on stdin; raise UsageError without one."""
    if sys.stdin.isatty():
        return str(click.prompt("API key", hide_input=True, err=True))
    key = sys.stdin.readline().strip()
    if not key:
        raise click.UsageError(f"no API key: set {_KEY}, or pipe the key in")
    return key
