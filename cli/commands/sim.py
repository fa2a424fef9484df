"""`tickwork sim`: the stand-alone simulator, for any client of the ProjectX Gateway API."""

import shlex
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from cli.local.market import DEFAULT_SEED, FASTEST, choose_market
from cli.local.processes.readiness import get_json
from cli.local.processes.sandbox import Sandbox, load_key, prepare_folder, run_sandbox
from shared.config import environment, load_settings
from shared.errors import SettingsError

_USER = "simulator"
_PORT = 8765
_LAST_PORT = 65_534
_EXAMPLES = """\b
Examples:
  tickwork sim                              a simulated market in today's trading hours
  tickwork sim --always-open                a market that trades around the clock
  tickwork sim --speed 30 --fresh           30 s of market time per second
  tickwork sim --replay mnqz6-1m.csv        a replay of recorded bars
  tickwork sim --stepped                    a clock that you move by hand
  tickwork sim --accounts 50KTC,EXPRESS     accounts with the firm's rules
"""


class _Option(click.Option):
    """An option listed in a section of the help."""

    def __init__(self, *args: Any, section: str, **kwargs: Any) -> None:  # noqa: ANN401  # click's own arguments
        super().__init__(*args, **kwargs)
        self.section = section


class _SectionedCommand(click.Command):
    """Shows its options in sections, in the order in which they are declared."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(parameter, "section", "Other"), []).append(record)
        for name, records in sections.items():
            with formatter.section(name):
                formatter.write_dl(records)


_MARKET, _CLIENTS, _PLACE = "Market", "Clients", "Ports and state"


@click.command("sim", cls=_SectionedCommand, epilog=_EXAMPLES)
@click.option(
    "--seed", cls=_Option, section=_MARKET, type=int, metavar="N", help="Seed of the simulated market; default: 7."
)
@click.option(
    "--replay", cls=_Option, section=_MARKET, type=click.Path(path_type=Path), metavar="FILE",
    help="Replay recorded one-minute bars: CSV with t,o,h,l,c,v, named like mnqz6-1m.csv.",
)  # fmt: skip
@click.option(
    "--speed", cls=_Option, section=_MARKET, type=int, metavar="N",
    help=f"Market seconds per second, 1 to {FASTEST}; only for a new market.",
)  # fmt: skip
@click.option(
    "--stepped", cls=_Option, section=_MARKET, is_flag=True, help="Freeze the clock; PUT /sim/clock moves it."
)
@click.option(
    "--always-open", cls=_Option, section=_MARKET, is_flag=True, help="Trade around the clock, also on weekends."
)
@click.option(
    "--accounts", cls=_Option, section=_CLIENTS, metavar="KINDS",
    help="More accounts, comma-separated, such as 50KTC, 150KTC-DLL, EXPRESS. One practice account always exists.",
)  # fmt: skip
@click.option(
    "--user", cls=_Option, section=_CLIENTS, metavar="NAME",
    help=f"User name for the login; default: TICKWORK_VENUE_USER, else {_USER}.",
)  # fmt: skip
@click.option(
    "--show-key",
    cls=_Option,
    section=_CLIENTS,
    is_flag=True,
    help="Print the API key: TICKWORK_VENUE_KEY, or a generated key stored in the state folder.",
)
@click.option(
    "--limits", cls=_Option, section=_CLIENTS, type=click.Choice(["on", "off", "30"]), default="on",
    help="Requests per user: 50 for bars in 30 s (30: only 30, as in older documents), 200 others in 60 s; off: any.",
)  # fmt: skip
@click.option(
    "--fault-seed", cls=_Option, section=_CLIENTS, type=int, metavar="N", default=0,
    help="Seed for faults with a probability; default: 0.",
)  # fmt: skip
@click.option(
    "--port", cls=_Option, section=_PLACE, type=click.IntRange(1, _LAST_PORT), metavar="P", default=_PORT,
    help=f"Port of the venue's REST endpoints and hubs; default: {_PORT}.",
)  # fmt: skip
@click.option(
    "--control-port", cls=_Option, section=_PLACE, type=click.IntRange(1, _LAST_PORT + 1), metavar="P",
    help="Port of the simulator's control endpoints under /sim; default: the next port.",
)  # fmt: skip
@click.option(
    "--state", cls=_Option, section=_PLACE, type=click.Path(path_type=Path), metavar="DIR",
    help="Folder of the stored orders and the key; default: TICKWORK_HOME/sim.",
)  # fmt: skip
@click.option(
    "--fresh",
    cls=_Option,
    section=_PLACE,
    is_flag=True,
    help="Restart this market from its beginning; the old state is archived.",
)
def command(
    *,
    seed: int | None,
    replay: Path | None,
    speed: int | None,
    stepped: bool,
    always_open: bool,
    accounts: str | None,
    user: str | None,
    show_key: bool,
    limits: str,
    fault_seed: int,
    port: int,
    control_port: int | None,
    state: Path | None,
    fresh: bool,
) -> None:
    """Run the venue's simulator on its own.

    It serves the ProjectX Gateway API on this computer, REST and both realtime hubs, to any client. It sends no real
    order and needs no other program. Ctrl-C stops it; the next start continues from the stored state.
    """
    if replay is not None and seed is not None:
        raise SettingsError("--replay and --seed choose two markets: give one of them")
    if stepped and speed not in {None, 1}:
        raise SettingsError("--stepped and --speed exclude each other: a stepped clock has no speed")
    settings = load_settings(environment())  # the venue's key of settings.toml is no key for a simulator
    known = DEFAULT_SEED if seed is None and replay is None else seed
    market = choose_market(settings, replay=replay, seed=known, speed=speed)
    folder = (state or settings.home / "sim").absolute()
    prepare_folder(folder)
    own_key, key_file = settings.venue.key, folder / "key"
    sandbox = Sandbox(
        market=market,
        state=folder,
        port=port,
        control_port=port + 1 if control_port is None else control_port,
        user=user or settings.venue.user or _USER,
        key=own_key or load_key(key_file),
        is_stepped=stepped,
        is_always_open=always_open,
        options=(
            *("--limits", limits, "--fault-seed", str(fault_seed)),
            *(("--accounts", accounts) if accounts else ()),
        ),
    )
    if sandbox.port == sandbox.control_port:
        raise SettingsError(f"--port and --control-port are both {port}: give two different ports")
    if show_key:
        shown = sandbox.key
    elif own_key:
        shown = "$TICKWORK_VENUE_KEY"
    else:
        shown = f"$(cat {shlex.quote(str(key_file))})"
    run_sandbox(sandbox, is_fresh=fresh, on_ready=lambda: _print_summary(sandbox, shown))
    click.echo("Stopped.")


def _print_summary(sandbox: Sandbox, key: str) -> None:
    status = get_json(f"{sandbox.control_url}/status")
    now = datetime.fromisoformat(status["market_now"])
    pace = "stepped clock" if status["is_stepped"] else f"speed {status['speed']}"
    is_open = "open" if status["is_open"] else "closed (use --always-open to trade around the clock)"
    own = [account for account in status["accounts"] if not account["user"]]
    login = f'{{\\"userName\\":\\"{sandbox.user}\\",\\"apiKey\\":\\"{key}\\"}}'
    lines = {
        "market": f"{status['market']}, {now:%Y-%m-%d %H:%M:%S} UTC, {pace}, {is_open}",
        "REST": sandbox.url,
        "user hub": f"{sandbox.url}/hubs/user",
        "market hub": f"{sandbox.url}/hubs/market",
        "user": sandbox.user,
        "key": key,
        "accounts": ", ".join(f"{account['id']} {account['name']}" for account in own),
        "limits": f"{status['limits']}",
        "OpenAPI": f"{sandbox.url}/swagger/v1/swagger.json",
        "control": sandbox.control_url,
        "state": str(sandbox.folder),
    }
    click.echo("ProjectX Gateway API of a simulated market: no real order is sent.\n")
    for name, text in lines.items():
        click.echo(f"  {name:<12}{text}")
    click.echo("\nTry it:")
    click.echo(f"  curl -s {sandbox.url}/api/Auth/loginKey -H 'Content-Type: application/json' \\\n    -d \"{login}\"")
    click.echo("\nStop with Ctrl-C.")
