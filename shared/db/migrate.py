"""Migrations of a database to the newest schema."""

import logging
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from shared.db.engine import make_engine
from shared.db.upkeep.blocking_sessions import limit_idle_transactions
from shared.errors import SettingsError

log = logging.getLogger(__name__)

OLDEST_POSTGRES = 15
START_FRESH = "`make up UP_ARGS=--fresh` (or `tickwork up --fresh`)"
_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(url: str, folder: Path | None = None) -> None:
    """Run the missing migrations on `url`; fast if there are none.

    `folder` is the home of the embedded server, if it has the database. Raise SettingsError if the server is too old or
    the schema of a version that we do not know.
    """
    engine = make_engine(url, program="migrate", pool_size=1, lock_timeout_s=None)
    try:
        with engine.begin() as connection:
            version = connection.dialect.server_version_info
            if version is None or int(version[0]) < OLDEST_POSTGRES:
                raise SettingsError(f"PostgreSQL {version} is too old: Tickwork needs {OLDEST_POSTGRES} or newer")
            # If two programs start at once, the second waits here and then finds the schema current.
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('tickwork migrations'))"))
            found = _read_revision(connection)
            if found is not None and found not in _revisions():
                expected = " or ".join(sorted(_revisions()))
                database = f"database {engine.url.database} {f'in {folder}' if folder else f'at {engine.url.host}'}"
                raise SettingsError(
                    f"unknown schema revision {found!r} of {database}: expected {expected}; {_hint(found, folder)}"
                )
            if found != newest_revision():
                _run_migrations(connection)
            try:
                with connection.begin_nested():
                    limit_idle_transactions(connection)
            except ProgrammingError:
                log.warning("this role does not own the database, so sessions may sit in a transaction without limit")
    finally:
        engine.dispose()


def current_revision(url: str) -> str | None:
    """Return the revision of the schema at `url`, or None without one; raise SQLAlchemyError if it does not answer."""
    engine = make_engine(url, program="doctor", pool_size=1)
    try:
        with engine.connect() as connection:
            return _read_revision(connection)
    finally:
        engine.dispose()


def newest_revision() -> str:
    """Return the revision of the newest migration; the name of its file begins with it."""
    return max(_revisions())


def _hint(found: str, folder: Path | None) -> str:
    if found > newest_revision():
        return "a newer version of Tickwork made this database: run that version, or a newer one"
    another = "name an empty database in DATABASE_URL" if folder is None else f"start another one with {START_FRESH}"
    return f"0.1.0 or an unreleased version made this database: {another}, and this one is kept"


def _revisions() -> set[str]:
    return {file.name.partition("_")[0] for file in (_SCRIPTS / "versions").glob("[0-9]*_*.py")}


def _read_revision(connection: Connection) -> str | None:
    if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar_one() is None:
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return found


def _run_migrations(connection: Connection) -> None:
    # Imported only if there are migrations to run: Alembic takes too long to load at every start.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
