"""`tickwork db psql`: a session that only reads, with a role of its own on the embedded server, unless --write."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from cli.local.home.credentials import load_credentials
from cli.local.home.folder import Home
from shared.db import roles
from shared.db.connect import connect
from shared.db.roles import PROGRAMS, READER
from tests.fixtures.processes import clean_environment


@dataclass(frozen=True)
class PsqlCommand:
    """Runs `tickwork db psql` on one database."""

    home: Path
    url: str

    def run(self, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
        """Run it to its end."""
        settings = {"TICKWORK_HOME": str(self.home), "DATABASE_URL": self.url}
        return subprocess.run(
            [sys.executable, "-m", "cli.main", "db", "psql", "-At", *arguments],
            env=clean_environment() | settings | env, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip


@pytest.fixture
def embedded(database_url: str, tmp_path: Path) -> PsqlCommand:
    """The database of an embedded server, as its programs know it."""
    home = Home(tmp_path / "home")
    home.prepare()
    credentials = load_credentials(home)
    with connect(database_url, program="test") as connection:
        roles.make_roles(connection, {PROGRAMS: credentials.programs, READER: credentials.reader})
        roles.grant_rights(connection)
    url = urlsplit(database_url)
    netloc = f"{PROGRAMS}:{credentials.programs}@{url.netloc.rpartition('@')[2]}"
    return PsqlCommand(home.root, url._replace(netloc=netloc).geturl())


@pytest.fixture
def own(database_url: str, tmp_path: Path) -> PsqlCommand:
    """A database on a server of one's own."""
    return PsqlCommand(tmp_path, database_url)


def test_on_the_embedded_server_the_session_is_that_of_the_reader(embedded: PsqlCommand) -> None:
    done = embedded.run("-c", "SELECT current_user, count(*) FROM account_now")

    assert (0, f"{READER}|0\n", "") == (done.returncode, done.stdout, done.stderr)
    for statement in ("DELETE FROM alert", "CREATE TABLE mine (n integer)", "SELECT token_hash FROM hook"):
        done = embedded.run("-v", "ON_ERROR_STOP=1", "-c", statement)
        assert (1, "") == (done.returncode, done.stdout), statement
        assert "read-only transaction" in done.stderr or "permission denied" in done.stderr


def test_with_write_the_session_is_that_of_the_programs(embedded: PsqlCommand) -> None:
    done = embedded.run("--write", "-c", "DELETE FROM alert", "-c", "SELECT current_user")

    assert (0, f"DELETE 0\n{PROGRAMS}\n", "") == (done.returncode, done.stdout, done.stderr)


def test_on_a_server_of_ones_own_the_session_is_read_only_and_says_so(own: PsqlCommand) -> None:
    show = "SELECT current_setting('default_transaction_read_only'), current_setting('work_mem')"
    done = own.run("-c", show, PGOPTIONS="-c work_mem=7MB")
    assert (0, "on|7MB\n") == (done.returncode, done.stdout)
    with_options = PsqlCommand(own.home, f"{own.url}?options=-c%20work_mem%3D9MB&connect_timeout=9")
    assert "on|9MB\n" == with_options.run("-c", show).stdout
    assert "This role of your server can write: the session is read-only until you change that." in done.stderr
    done = own.run("-v", "ON_ERROR_STOP=1", "-c", "CREATE TABLE mine (n integer)")
    assert "cannot execute CREATE TABLE in a read-only transaction" in done.stderr

    done = own.run("--write", "-c", "CREATE TABLE mine (n integer)")
    assert (0, "CREATE TABLE\n", "") == (done.returncode, done.stdout, done.stderr)
    with psycopg.connect(own.url) as connection:
        assert connection.execute("SELECT 1 FROM pg_tables WHERE tablename = 'mine'").fetchone()


@pytest.mark.parametrize("before", ["", "connect_timeout=9&"])
def test_a_password_in_the_query_of_the_url_is_not_on_the_command_line(own: PsqlCommand, before: str) -> None:
    url = urlsplit(own.url)
    netloc = f"{url.username}:wrong@{url.netloc.rpartition('@')[2]}"
    in_query = url._replace(netloc=netloc, query=f"{before}password={url.password}").geturl()

    shown = PsqlCommand(own.home, in_query).run("--write", "-c", "\\! tr '\\0' ' ' < /proc/$PPID/cmdline")

    assert "--dbname=postgresql://" in shown.stdout
    assert (0, False) == (shown.returncode, str(url.password) in shown.stdout)
