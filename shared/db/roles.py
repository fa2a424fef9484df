"""The roles of the embedded server: the programs' own, which is no superuser, and one that reads all but secrets."""

from collections.abc import Mapping
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

PROGRAMS: Final = "tickwork_programs"
READER: Final = "tickwork_reader"
# Hidden from the reader: with them anyone could send alerts and requests.
SECRETS: Final[Mapping[str, tuple[str, ...]]] = {
    "hook": ("token_hash", "previous_token_hash"),
    "hook_secret": ("secret",),
    "api_token": ("token_hash",),
    "telegram_user": ("totp_secret", "pairing_hash"),
}
_READER_CONNECTIONS = 10  # the rest is for the programs
# What blocking_sessions and disk_space need.
_TO_PROGRAMS = "pg_read_all_stats, pg_read_all_settings, pg_signal_backend"
_GRANTS: tuple[LiteralString, ...] = (
    # Nothing of ours needs temporary tables, and they fill the disk.
    "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {programs}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {programs}",
    # The record of who did what is only added to; the schema is changed by its owner alone.
    "REVOKE UPDATE, DELETE ON audit FROM {programs}",
    "GRANT EXECUTE ON FUNCTION add_api_call_day, drop_api_call_day TO {programs}",
    "REVOKE INSERT, UPDATE, DELETE ON order_transition, alembic_version FROM {programs}",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}",
)
_GRANTS_OF_SECRETS: tuple[LiteralString, ...] = (
    "REVOKE SELECT ON {table} FROM {reader}",
    "GRANT SELECT ({columns}) ON {table} TO {reader}",
)
# The risk monitor and the booking of trades wait for advisory locks; large objects fill the disk.
_FUNCTIONS = """
    SELECT oid::regprocedure::text, proname ~ 'advisory' FROM pg_proc
    WHERE pronamespace = 'pg_catalog'::regnamespace
        AND proname ~ '^(pg_(try_)?advisory_.*|lo_creat|lo_create|lo_from_bytea|lo_import.*)$'
    ORDER BY 1
"""
# Databases without a market, in which the reader could make temporary tables and large objects.
_OPEN_DATABASES = """
    SELECT datname FROM pg_database
    WHERE datname IN ('postgres', 'template1') AND has_database_privilege('public', oid, 'CONNECT, TEMPORARY')
"""
_HAS_RIGHTS = """
    SELECT has_table_privilege(oid, 'account', 'SELECT')
        AND NOT has_function_privilege(oid, 'pg_advisory_lock(bigint)', 'EXECUTE')
    FROM pg_roles WHERE rolname = %(reader)s
"""
_COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""


def make_roles(connection: psycopg.Connection[Any], passwords: Mapping[str, str]) -> None:
    """Make the roles of the server if there are none, and set their `passwords`; `connection` is a superuser's."""
    known = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles").fetchall()}
    for role, password in passwords.items():
        # Hashed here, so that no log of the server has it.
        hashed = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        verb = sql.SQL("ALTER" if role in known else "CREATE")
        rights = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD")
        connection.execute(sql.SQL("{} ROLE {} {} {}").format(verb, sql.Identifier(role), rights, sql.Literal(hashed)))
    programs, reader = sql.Identifier(PROGRAMS), sql.Identifier(READER)
    connection.execute(sql.SQL(f"GRANT {_TO_PROGRAMS} TO {{}}").format(programs))
    connection.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}").format(reader, _READER_CONNECTIONS))
    # A role can keep settings for its sessions, also for those in one database.
    connection.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(reader))
    database = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("ALTER ROLE {} IN DATABASE {} RESET ALL").format(reader, database))
    connection.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(reader))
    for (name,) in connection.execute(_OPEN_DATABASES).fetchall():
        statement = sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC")
        connection.execute(statement.format(sql.Identifier(name)))


def grant_rights(connection: psycopg.Connection[Any]) -> None:
    """Let the roles use the tables of this database, whose owner `connection` is; at each start, after an upgrade."""
    names: dict[str, sql.Composable] = {
        "database": sql.Identifier(connection.info.dbname),
        "programs": sql.Identifier(PROGRAMS),
        "reader": sql.Identifier(READER),
    }
    with connection.transaction():
        for statement in _GRANTS:
            connection.execute(sql.SQL(statement).format(**names))
        for table, secrets in SECRETS.items():
            columns = [name for (name,) in connection.execute(_COLUMNS, [table]).fetchall() if name not in secrets]
            shown = {"table": sql.Identifier(table), "columns": sql.SQL(", ").join(map(sql.Identifier, columns))}
            for statement in _GRANTS_OF_SECRETS:
                connection.execute(sql.SQL(statement).format(**names, **shown))
        _keep_functions(connection)


def has_rights(connection: psycopg.Connection[Any]) -> bool:
    """Whether the reader may use this database, as `grant_rights` of this version lets it."""
    return connection.execute(_HAS_RIGHTS, {"reader": READER}).fetchone() == (True,)


def _keep_functions(connection: psycopg.Connection[Any]) -> None:
    """Let only the programs take advisory locks, and only the owner make large objects."""
    found = connection.execute(_FUNCTIONS).fetchall()
    every = ", ".join(function for function, _ in found)
    locking = ", ".join(function for function, is_lock in found if is_lock)
    connection.execute(f"REVOKE EXECUTE ON FUNCTION {every} FROM PUBLIC".encode())
    connection.execute(f"GRANT EXECUTE ON FUNCTION {locking} TO {PROGRAMS}".encode())
