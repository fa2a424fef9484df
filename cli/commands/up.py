"""`tickwork up`: starts the stack, keeps it running, and stops it in order."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from cli.local.former_market import check_wanted_market, require_same_market
from cli.local.home.folder import Home
from cli.local.home.lock import AlreadyRunningError, Lock
from cli.local.home.state import read_state
from cli.local.home.tracked_roots import require_known_roots
from cli.local.market import check_speed, choose_market
from cli.local.stack_run import StackRun
from shared.config import Settings, environment, load_settings, own_settings_file
from shared.domain.market_data.calendar import CHICAGO
from shared.domain.years import YEARS, require_year
from shared.errors import SettingsError
from shared.fleets import require_known_fleets
from shared.setting_values import parse_slots


@click.command("up")
@click.option(
    "--replay", type=click.Path(path_type=Path), metavar="FILE", help="Replay recorded bars: CSV with t,o,h,l,c,v."
)
@click.option("--seed", type=int, metavar="N", help="Seed of the simulated market; default: 7.")
@click.option("--speed", type=int, metavar="N", help="Market seconds per second, 1 to 60; only for a new market.")
@click.option(
    "--at",
    "at",
    metavar="TIME",
    help="Start of a seeded market in Chicago time, such as 2026-03-08T17:00; only for a new market.",
)
@click.option("--market", "wanted", metavar="NAME", help="Open a former market again, as `tickwork markets` lists it.")
@click.option("--fresh", is_flag=True, help="Start this market in a new database; the old one is kept.")
@click.option("--limits", type=click.Choice(["on", "off"]), default=None, help="Enforce the venue's request limits.")
@click.option("--verbose", is_flag=True, help="Show every line of the programs, which else are in `tickwork logs`.")
@click.option("--slots", metavar="FLEET=N,...", help="Jobs that run at once, by fleet, such as critical=4,bulk=2.")
def command(
    replay: Path | None,
    seed: int | None,
    speed: int | None,
    at: str | None,
    wanted: str | None,
    *,
    fresh: bool,
    limits: str | None,
    slots: str | None,
    verbose: bool,
) -> None:
    """Start the stack and keep it running until Ctrl-C.

    It prints a line for what matters: programs that come and go, alerts, fills, halts and breaches. With a position
    open, Ctrl-C asks before it stops what watches the position.
    """
    if replay is not None and seed is not None:
        raise SettingsError("--replay and --seed choose two markets: give one of them")
    settings = load_settings()
    if slots is not None:
        settings = replace(settings, slots={**settings.slots, **parse_slots("--slots", slots)})
    require_known_fleets(settings.slots)
    if replay is None:
        _require_known_roots(settings)
    seed = seed if wanted is None else check_wanted_market(wanted, seed=seed, is_fresh=fresh, replay=replay)
    market = choose_market(
        settings, replay=replay, seed=seed, speed=speed, starts_market_at=_parse_chicago_time(at) if at else None
    )
    if wanted is not None:
        require_same_market(wanted, market, is_embedded=not settings.database_url)
    if fresh and settings.database_url:
        raise SettingsError(
            "--fresh creates a database on the embedded server only: set DATABASE_URL to an empty database"
        )
    limited = settings.limits if limits is None else limits == "on"
    check_speed(market, market.speed or 1, limits=limited)  # a known market may be faster: checked once it is read
    home = Home(settings.home)
    home.prepare()
    lock = Lock(home.root)
    try:
        lock.acquire()
    except AlreadyRunningError as error:
        raise SettingsError(_describe_running_stack(home, error.pid)) from None
    try:
        StackRun(home, settings, market, wanted, is_fresh=fresh, limits=limited, is_verbose=verbose).run()
    finally:
        lock.close()


def _require_known_roots(settings: Settings) -> None:
    """Raise SettingsError for a root that does not exist, with the line of the settings file that has it."""
    try:
        require_known_roots(",".join(settings.contracts), "TICKWORK_CONTRACTS")
    except SettingsError as error:
        raise own_settings_file().locate(error, environment()) from None


def _parse_chicago_time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        require_year(at)
    except ValueError:
        raise SettingsError(f"invalid --at {text!r}: expected a time such as 2026-03-08T17:00, {YEARS}") from None
    return (at if at.tzinfo else at.replace(tzinfo=CHICAGO)).astimezone(UTC)


def _describe_running_stack(home: Home, pid: int | None) -> str:
    state = read_state(home) or {"urls": {}}
    receiver_url = state["urls"].get("receiver")
    where = f", its receiver at {receiver_url}" if receiver_url else ""
    hint = "`tickwork status` shows it, `tickwork down` stops it"
    return f"a stack already runs in {home.root}: process {pid}{where}. {hint}"
