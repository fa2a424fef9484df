"""The roles of an embedded server: made at each start, also in a home of an older version, and never a superuser's."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cli.local.home.credentials import load_credentials
from cli.local.home.folder import Home
from cli.local.servers.binaries import find_postgres_folder
from cli.local.servers.database import choose_database
from cli.local.servers.postgres import postgres_url
from cli.local.servers.roles import prepare_database
from cli.local.servers.unix_user import find_unprivileged_user
from shared.db.roles import PROGRAMS, READER
from shared.errors import SettingsError
from tests.fixtures.processes import free_port
from tests.integration.local.embedded import PASSWORD, postgres, run_server

OLD = {"postgres": PASSWORD, "valkey": "of-valkey", "venue": "of-the-venue"}
ROLES = "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles"


@pytest.fixture(scope="module")
def old_home(cluster_home: Home) -> Iterator[tuple[Home, int]]:
    """A running cluster, in a home whose credentials are those of an older version, and its port."""
    (cluster_home.root / "secrets.json").write_text(json.dumps(OLD))
    port = free_port()
    with run_server(postgres(cluster_home, port)):
        yield cluster_home, port


def choose(port: int, market: str) -> str:
    return choose_database(postgres_url(port, PASSWORD, "postgres"), market, is_fresh=False)


def test_a_home_of_an_older_version_gets_the_roles_and_keeps_its_passwords(old_home: tuple[Home, int]) -> None:
    home, port = old_home
    credentials = load_credentials(home)
    stored = json.loads((home.root / "secrets.json").read_text())
    assert OLD == {name: stored[name] for name in OLD}
    assert credentials == load_credentials(home)
    for _ in range(2):  # also at the second start
        url = prepare_database(home, port, credentials, choose(port, "gold"))

    with psycopg.connect(url) as connection:
        assert (PROGRAMS, "off") == connection.execute(
            "SELECT current_user, current_setting('is_superuser')"
        ).fetchone()
        assert connection.execute("SELECT 1 FROM alembic_version").fetchone()
        found = {name: rights for name, *rights in connection.execute(ROLES) if name in {PROGRAMS, READER}}
    assert {PROGRAMS: [False] * 5, READER: [False] * 5} == found


def test_new_credentials_reach_the_server_with_the_next_start(old_home: tuple[Home, int]) -> None:
    home, port = old_home
    before = prepare_database(home, port, load_credentials(home), choose(port, "silver"))
    (home.root / "secrets.json").write_text(json.dumps(OLD))
    after = prepare_database(home, port, load_credentials(home), choose(port, "silver"))

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(before)
    psycopg.connect(after).close()


def test_a_database_of_an_older_version_is_refused_with_what_to_do(old_home: tuple[Home, int]) -> None:
    home, port = old_home
    name = choose(port, "copper")
    owner = postgres_url(port, PASSWORD, name)
    prepare_database(home, port, load_credentials(home), name)
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0021'")

    with pytest.raises(SettingsError, match=r"unknown schema revision '0021' of database tickwork_copper in .*--fresh"):
        prepare_database(home, port, load_credentials(home), name)


def test_a_copy_made_by_the_programs_is_restored_by_the_owner_and_opened_by_the_next_start(
    old_home: tuple[Home, int], tmp_path: Path
) -> None:
    home, port = old_home
    credentials = load_credentials(home)
    url = prepare_database(home, port, credentials, choose(port, "zinc"))
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE queue_state SET republished_count = 7 WHERE queue = 'high'")
    folder, copy = find_postgres_folder(home, find_unprivileged_user()), tmp_path / "copy.sql"
    subprocess.run([folder / "pg_dump", f"--dbname={url}", f"--file={copy}"], check=True, capture_output=True)
    name = choose(port, "restored")
    restored = postgres_url(port, PASSWORD, name)
    run = [str(folder / "psql"), f"--dbname={restored}", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={copy}"]
    done = subprocess.run(run, check=False, capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stderr)

    with psycopg.connect(prepare_database(home, port, credentials, name)) as connection:
        assert (7,) == connection.execute("SELECT republished_count FROM queue_now WHERE queue = 'high'").fetchone()
        connection.execute("UPDATE queue_state SET republished_count = 8")
