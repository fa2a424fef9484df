"""The stack of a command: the stack that runs in TICKWORK_HOME, else the one named by the environment."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from cli.local.home.folder import Home
from cli.local.home.lock import find_holder
from cli.local.home.state import Json, read_state
from shared.config import Settings, environment, home_folder, load_settings
from shared.db.engine import make_engine
from shared.errors import SettingsError


def read_running_state() -> Json | None:
    """Return the state of the stack that runs in TICKWORK_HOME, or None when none does."""
    home = home_folder(environment())
    return read_state(Home(home)) if find_holder(home) is not None else None


def stack_environment() -> dict[str, str]:
    """Return the environment for a program of the running stack, else our own environment; it contains secrets."""
    state = read_running_state()
    return environment() | (state["environment"] if state is not None else {})


def load_stack_settings() -> Settings:
    """Return the settings of the running stack, else those of a new one; raise SettingsError if it has no database.

    What runs never depends on the settings file, which may be changed meanwhile, or be invalid.
    """
    state = read_running_state()
    settings = load_settings(None if state is None else environment() | state["environment"])
    if not settings.database_url:
        raise SettingsError(
            f"no stack runs in {settings.home}: start one with `tickwork up`, "
            "or set DATABASE_URL to the database of a stack that runs elsewhere"
        )
    return settings


def load_settings_or_defaults() -> tuple[Settings, str | None]:
    """Return the settings of the running stack, else those of a new one; and what is wrong with the settings file.

    Where no stack runs and the file is invalid, they are the defaults. The secrets of the keyring are left out.
    """
    own, invalid = load_settings({}), None
    try:
        own = load_settings(with_secrets=False)
    except SettingsError as error:
        invalid = str(error)
    return own if read_running_state() is None else load_settings(stack_environment()), invalid


def load_next_settings(settings: Settings) -> Settings:
    """Return the settings of the next start; or `settings` where they are invalid, as another check says so."""
    try:
        return load_settings()
    except SettingsError:
        return settings


def describe_stale(what: str) -> str:
    """Return that the running stack does not know a setting as it is now, and what to do; `what` says what changed."""
    return f"{what}, and the running stack does not know that: `tickwork down`, then `tickwork up`"


@contextmanager
def connect() -> Iterator[Connection]:
    """Connect to the stack's database."""
    engine = make_engine(load_stack_settings().require_database(), program="cli", pool_size=1)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def begin() -> Iterator[Connection]:
    """Connect to the stack's database in one transaction: commit on success, roll back on an error."""
    with connect() as connection, connection.begin():
        yield connection


def list_running_programs() -> list[tuple[str, int]]:
    """Return name and process id of the running stack's programs."""
    state = read_running_state()
    return [(one["name"], one["pid"]) for one in (state or {"programs": []})["programs"] if one["pid"]]
