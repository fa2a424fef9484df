"""`tickwork doctor`: looks for what keeps a stack from working, and says what to do."""

import platform
import shutil
import sys
from collections.abc import Callable

import click
from sqlalchemy.exc import SQLAlchemyError

from cli.client.stack import settings_of_stack
from cli.console.output import print_json, print_table
from cli.local.home.folder import Home
from cli.local.home.lock import holder
from cli.local.home.ports import DEFAULTS, is_free
from cli.local.servers.binaries import postgres_folder, valkey_server
from cli.local.servers.broker import check_broker
from cli.local.servers.unix_user import unprivileged
from cli.local.servers.valkey import check_version
from shared.config import load_settings
from shared.db.migrate import upgrade
from shared.errors import SettingsError
from shared.log import masked

_LEAST_DISK = 1_000_000_000


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def command(*, as_json: bool) -> None:
    """Check this computer and the running stack; ends with status 1 when something is wrong."""
    settings = load_settings()
    home = Home(settings.home)
    checks: dict[str, Callable[[], str]] = {
        "python": lambda: f"{platform.python_version()} at {sys.executable}",
        "home": lambda: _home(home),
        "disk": lambda: _disk(home),
        "postgres program": lambda: str(postgres_folder(home, unprivileged())),
        "valkey program": lambda: str(valkey_server(home, unprivileged())),
    }
    if holder(home.root) is None:
        checks["ports"] = _ports
        broker_url = settings.broker_url
    else:
        checks |= {"database": _database, "redis": _redis}
        broker_url = settings_of_stack().broker_url
    if broker_url:
        checks["broker"] = lambda: f"{check_broker(broker_url)} answers, with every queue"
    found = [_checked(name, check) for name, check in checks.items()]
    if as_json:
        print_json({"checks": found})
    else:
        print_table("Doctor", found, ("name", "state", "detail"), empty="Nothing was checked.")
    if any(one["state"] == "wrong" for one in found):
        raise SystemExit(1)


def _checked(name: str, check: Callable[[], str]) -> dict[str, str]:
    try:
        return {"name": name, "state": "fine", "detail": check()}
    except SettingsError as error:
        return {"name": name, "state": "wrong", "detail": str(error)}


def _home(home: Home) -> str:
    home.prepare()
    return str(home.root)


def _disk(home: Home) -> str:
    free = shutil.disk_usage(home.root).free
    if free < _LEAST_DISK:
        raise SettingsError(
            f"{free / 1e9:.1f} GB free at {home.root}: make room for at least {_LEAST_DISK / 1e9:.0f} GB"
        )
    return f"{free / 1e9:.0f} GB free"


def _ports() -> str:
    taken = [f"{name} {port}" for name, port in DEFAULTS.items() if not is_free(port)]
    return f"taken by others, `up` will choose another: {', '.join(taken)}" if taken else "the usual ones are free"


def _database() -> str:
    url = settings_of_stack().need_database()
    try:
        upgrade(url)
    except SQLAlchemyError as error:
        raise SettingsError(f"{masked(url)} does not answer: {str(getattr(error, 'orig', error)).strip()}") from None
    return "answers, with the newest schema"


def _redis() -> str:
    check_version(settings_of_stack().need_redis())
    return "answers"
