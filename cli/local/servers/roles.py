"""A database of the embedded server, upgraded by its owner and opened for the roles of the programs and the reader."""

from cli.local.home.credentials import Credentials
from cli.local.home.folder import Home
from cli.local.servers.postgres import postgres_url
from shared.db import roles
from shared.db.connect import connect
from shared.db.migrate import upgrade
from shared.db.roles import PROGRAMS, READER


def prepare_database(home: Home, port: int, credentials: Credentials, database: str) -> str:
    """Upgrade a database, let the roles use it, and return its URL for the programs.

    Raise SettingsError for the schema of a version that we do not know, as `upgrade` does.
    """
    owner_url = postgres_url(port, credentials.postgres, database)
    upgrade(owner_url, home.root)
    with connect(owner_url, program="up") as connection:
        roles.make_roles(connection, {PROGRAMS: credentials.programs, READER: credentials.reader})
        roles.grant_rights(connection)
    return postgres_url(port, credentials.programs, database, PROGRAMS)
