"""Brings a database to the newest schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from shared.db.engine import make_engine
from shared.errors import SettingsError

OLDEST_POSTGRES = 15
_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(url: str) -> None:
    """Run the migrations that `url` lacks; quick when there are none. Raise SettingsError for a server too old."""
    engine = make_engine(url, program="migrate", pool_size=1)
    try:
        with engine.begin() as connection:
            version = connection.dialect.server_version_info
            if version is None or int(version[0]) < OLDEST_POSTGRES:
                raise SettingsError(f"PostgreSQL {version} is too old: Tickwork needs {OLDEST_POSTGRES} or newer")
            # Two programs may start at once; the second waits here and then finds nothing to do.
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('tickwork migrations'))"))
            config = Config()
            config.set_main_option("script_location", str(_SCRIPTS))
            newest = ScriptDirectory.from_config(config).get_current_head()
            if MigrationContext.configure(connection).get_current_revision() != newest:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
    finally:
        engine.dispose()
