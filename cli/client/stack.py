"""How a command finds the stack it is about: the one that runs in TICKWORK_HOME, else what the environment names."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from cli.local.home.folder import Home
from cli.local.home.lock import holder
from cli.local.home.state import Json, read_state
from shared.config import Settings, environment, load_settings
from shared.db.engine import make_engine
from shared.errors import SettingsError


def running_state(settings: Settings | None = None) -> Json | None:
    """Return the state of the stack that runs in TICKWORK_HOME, or None when none does."""
    home = (settings or load_settings()).home
    return read_state(Home(home)) if holder(home) is not None else None


def environment_of_stack() -> dict[str, str]:
    """Return what a program of the running stack, else of the environment, must be told; secrets are among it."""
    state = running_state()
    return environment() | (state["environment"] if state is not None else {})


def settings_of_stack() -> Settings:
    """Return the settings of the running stack, else of the environment; raise SettingsError when there are none."""
    settings = load_settings(environment_of_stack())
    if not settings.database_url:
        raise SettingsError(
            f"no stack runs in {settings.home}: start one with `tickwork up`, "
            "or set DATABASE_URL to the database of one that runs elsewhere"
        )
    return settings


@contextmanager
def connect() -> Iterator[Connection]:
    """Connect to the stack's database."""
    engine = make_engine(settings_of_stack().need_database(), program="cli", pool_size=1)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def begin() -> Iterator[Connection]:
    """Connect to the stack's database and commit everything done inside, or nothing."""
    with connect() as connection, connection.begin():
        yield connection


def running_programs() -> list[tuple[str, int]]:
    """Return name and process id of the running stack's programs."""
    state = running_state()
    return [(one["name"], one["pid"]) for one in (state or {"programs": []})["programs"] if one["pid"]]
