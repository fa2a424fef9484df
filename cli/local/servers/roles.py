"""A database of the embedded server, upgraded by its owner and opened for the roles of the programs and the reader."""

from typing import Any
from urllib.parse import urlsplit

import psycopg

from cli.local.home.credentials import Credentials
from cli.local.home.folder import Home
from cli.local.servers.postgres import postgres_url
from shared.db import roles
from shared.db.connect import connect
from shared.db.migrate import current_revision, newest_revision, upgrade
from shared.db.roles import PROGRAMS, READER
from shared.errors import RefusedError


def prepare_database(home: Home, port: int, credentials: Credentials, database: str) -> str:
    """Upgrade a database, let the roles use it, and return its URL for the programs.

    Raise SettingsError for the schema of a version that we do not know, as `upgrade` does.
    """
    owner_url = postgres_url(port, credentials.postgres, database)
    upgrade(owner_url, home.root)
    with connect(owner_url, program="up") as connection:
        _open_for_roles(connection, credentials)
    return postgres_url(port, credentials.programs, database, PROGRAMS)


def let_reader_in(owner_url: str, credentials: Credentials) -> None:
    """Let the reader use the database of a market that no start of this version has opened; others are left alone.

    Raise RefusedError for the schema of another version: which of its columns are secret is not known.
    """
    if current_revision(owner_url) != newest_revision():
        name = urlsplit(owner_url).path.removeprefix("/")
        raise RefusedError(
            f"database {name} has the schema of another version, so the role that reads cannot be let in: "
            "start it with `tickwork up --market`, which upgrades it if it can"
        )
    with connect(owner_url, program="markets") as connection:
        if not roles.has_rights(connection):
            _open_for_roles(connection, credentials)


def _open_for_roles(connection: psycopg.Connection[Any], credentials: Credentials) -> None:
    roles.make_roles(connection, {PROGRAMS: credentials.programs, READER: credentials.reader})
    roles.grant_rights(connection)
