"""The roles of the embedded server: what the programs may do, and what the role that only reads may see."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction

from shared.db import roles
from shared.db.connect import connect
from shared.db.engine import make_engine
from shared.db.roles import PROGRAMS, READER, SECRETS
from shared.db.upkeep.blocking_sessions import find_missing_grant
from shared.db.upkeep.disk_space import find_local_data_folder

PASSWORDS = {PROGRAMS: "a-password-of-programs", READER: "a-password-of-the-reader"}
NAMED_LIKE_SECRETS = re.compile(r"secret|token|password|hash|_key$|passphrase")
# Named like one, and none: of jobs, each known to everyone who may see the job.
NO_SECRETS = {"job.sequence_key", "job_key.idempotency_key"}
COLUMNS = """
    SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'
"""
SELECTABLE = """
    SELECT relname, attname, has_column_privilege(%(role)s, pg_class.oid, attnum, 'SELECT') FROM pg_class
    JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
      AND attnum > 0 AND NOT attisdropped
"""
WRITABLE = """
    SELECT relname, kind FROM pg_class, unnest('{INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS kind
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND has_table_privilege(%s, oid, kind)
"""


@pytest.fixture
def granted_url(database_url: str) -> str:
    """A migrated database that the roles may use, for its owner."""
    with connect(database_url, program="test") as connection:
        roles.make_roles(connection, PASSWORDS)
        roles.grant_rights(connection)
    return database_url


def url_of(url: str, role: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}:{PASSWORDS[role]}@{parts.netloc.rpartition('@')[2]}").geturl()


@contextmanager
def session_of(url: str, role: str) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(url_of(url, role), autocommit=True) as connection:
        yield connection


def test_the_reader_sees_every_column_but_secrets(granted_url: str) -> None:
    with psycopg.connect(granted_url) as connection:
        rows = connection.execute(SELECTABLE, {"role": READER}).fetchall()
    hidden = {(table, column) for table, column, is_seen in rows if not is_seen}
    secrets = {(table, column) for table, columns in SECRETS.items() for column in columns}

    assert secrets == {(table, column) for table, column in hidden if not table.endswith("_seq")}
    with session_of(granted_url, READER) as reader:
        assert [(PROGRAMS,)] != reader.execute("SELECT current_user").fetchall()
        for view in ("alert_story", "trade", "daily_pnl", "account_now", "queue_now", "dead_job", "slow_endpoint"):
            reader.execute(f"SELECT * FROM {view}".encode())
        reader.execute("SELECT id, name, account_id, settings FROM hook")
        for table, columns in SECRETS.items():
            for statement in (f"SELECT * FROM {table}", *(f"SELECT {one} FROM {table}" for one in columns)):
                with pytest.raises(InsufficientPrivilege):
                    reader.execute(statement.encode())


def test_a_column_named_like_a_secret_is_hidden_or_known_to_be_none(granted_url: str) -> None:
    with psycopg.connect(granted_url) as connection:
        named = {name for (name,) in connection.execute(COLUMNS) if NAMED_LIKE_SECRETS.search(name.partition(".")[2])}
    hidden = {f"{table}.{column}" for table, columns in SECRETS.items() for column in columns}

    assert named - {"hook.previous_token_until"} == hidden | NO_SECRETS


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE account SET balance = 0",
        "DELETE FROM audit",
        "CREATE TABLE mine (n integer)",
        "CREATE TEMPORARY TABLE mine (n integer)",
        "TRUNCATE job",
        "SELECT * FROM account FOR UPDATE",
        "LOCK TABLE account IN ACCESS EXCLUSIVE MODE",
        "DROP VIEW trade",
        "ALTER TABLE account DISABLE TRIGGER ALL",
        "COPY account TO PROGRAM 'cat'",
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT rolpassword FROM pg_authid",
        "SET ROLE tickwork_programs",
        "ALTER ROLE tickwork_reader SUPERUSER",
        "SELECT pg_try_advisory_lock(hashtextextended('risk-monitor', 0))",
        "SELECT pg_advisory_xact_lock_shared(1, 2)",
        "SELECT lo_create(0)",
        "SELECT lo_creat(-1)",
        "SELECT lo_from_bytea(0, 'much')",
    ],
)
def test_the_reader_may_not_write_even_if_it_ends_its_read_only_mode(granted_url: str, statement: str) -> None:
    with session_of(granted_url, READER) as reader:
        assert ("on",) == reader.execute("SHOW default_transaction_read_only").fetchone()
        with pytest.raises((InsufficientPrivilege, ReadOnlySqlTransaction)), reader.transaction():
            reader.execute(statement.encode())
        reader.execute("SET default_transaction_read_only = off")
        with pytest.raises(InsufficientPrivilege), reader.transaction():
            reader.execute(statement.encode())


def test_the_programs_write_rows_and_change_no_schema_and_no_record_of_acts(granted_url: str) -> None:
    with psycopg.connect(granted_url) as connection:
        tables = {name for (name,) in connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )}  # fmt: skip
        writable = {
            kind: {table for table, own in connection.execute(WRITABLE, [PROGRAMS]) if own == kind}
            for kind in ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
        }
    fixed = {"order_transition", "alembic_version"}

    assert tables - fixed == writable["INSERT"] & tables
    assert tables - fixed - {"audit"} == writable["UPDATE"] & tables == writable["DELETE"] & tables
    assert set() == writable["TRUNCATE"] | writable["REFERENCES"] | writable["TRIGGER"]
    with session_of(granted_url, PROGRAMS) as programs:
        assert ("off",) == programs.execute("SHOW is_superuser").fetchone()
        for statement in (
            "ALTER TABLE audit DISABLE TRIGGER ALL", "DROP TABLE account", "CREATE TABLE mine (n integer)",
            "COPY account TO PROGRAM 'cat'", "SELECT pg_read_file('postgresql.conf')", "DELETE FROM audit",
            "CREATE ROLE other", "CREATE DATABASE other",
        ):  # fmt: skip
            with pytest.raises(InsufficientPrivilege):
                programs.execute(statement.encode())


def test_the_programs_take_advisory_locks(granted_url: str) -> None:
    with session_of(granted_url, PROGRAMS) as programs:
        assert (True,) == programs.execute("SELECT pg_try_advisory_lock(hashtextextended('test', 0))").fetchone()
        assert (True,) == programs.execute("SELECT pg_advisory_unlock(hashtextextended('test', 0))").fetchone()


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_the_reader_cannot_connect_to_a_database_without_a_market(granted_url: str, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(urlsplit(url_of(granted_url, READER))._replace(path=f"/{database}").geturl())


def test_settings_that_the_reader_keeps_last_until_the_next_start(granted_url: str) -> None:
    with session_of(granted_url, READER) as reader:
        reader.execute("SET default_transaction_read_only = off")
        reader.execute("ALTER ROLE tickwork_reader SET default_transaction_read_only = off")
        reader.execute("ALTER ROLE tickwork_reader SET work_mem = '2GB'")
    with connect(granted_url, program="test") as connection:
        name = sql.Identifier(connection.info.dbname)
        kept = sql.SQL("ALTER ROLE tickwork_reader IN DATABASE {} SET default_transaction_read_only = off")
        connection.execute(kept.format(name))
        roles.make_roles(connection, PASSWORDS)

    with session_of(granted_url, READER) as reader:
        assert ("on",) == reader.execute("SHOW default_transaction_read_only").fetchone()
        assert ("2GB",) != reader.execute("SHOW work_mem").fetchone()


def test_the_programs_lack_no_right_that_doctor_asks_for(granted_url: str) -> None:
    engine = make_engine(url_of(granted_url, PROGRAMS), program="test", pool_size=1)
    with engine.connect() as connection:
        assert find_missing_grant(connection) is None
        assert find_local_data_folder(connection) is not None
    engine.dispose()


def test_the_roles_are_made_once_and_a_new_password_replaces_the_old(granted_url: str) -> None:
    with connect(granted_url, program="test") as connection:
        roles.make_roles(connection, PASSWORDS | {READER: "another-password"})
        roles.grant_rights(connection)
        roles.grant_rights(connection)

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url_of(granted_url, READER))
    with connect(granted_url, program="test") as connection:
        roles.make_roles(connection, PASSWORDS)
    with session_of(granted_url, READER) as reader:
        reader.execute("SELECT 1 FROM account")


def test_the_programs_make_and_drop_the_days_of_calls_and_the_reader_does_not(granted_url: str) -> None:
    add = "SELECT add_api_call_day('2020-01-01')"
    drop = "SELECT drop_api_call_day('7 days')::text"
    with session_of(granted_url, PROGRAMS) as programs:
        assert (True,) == programs.execute(add).fetchone()
        programs.execute(
            "INSERT INTO api_call (endpoint, method, called_at, duration_ms) VALUES ('', '', '2020-01-01', 1)"
        )
        with session_of(granted_url, READER) as reader:
            assert (1,) == reader.execute("SELECT count(*) FROM api_call").fetchone()
            reader.execute("SET default_transaction_read_only = off")
            for statement in (add, drop):
                with pytest.raises(InsufficientPrivilege):
                    reader.execute(statement)
        assert ("2020-01-01",) == programs.execute(drop).fetchone()
        assert (None,) == programs.execute(drop).fetchone()
