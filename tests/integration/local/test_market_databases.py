"""Markets of the embedded server: a deletion that meets a session, and the role that reads a former market."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from cli.local.home.credentials import load_credentials
from cli.local.home.folder import Home
from cli.local.servers.database import choose_database
from cli.local.servers.market_databases import delete_market, find_market, list_markets, url_of
from cli.local.servers.postgres import postgres_url
from cli.local.servers.roles import let_reader_in
from shared.db.migrate import upgrade
from shared.db.reader_url import reader_url
from shared.db.roles import READER
from shared.errors import RefusedError
from tests.fixtures.processes import free_port
from tests.integration.local.embedded import PASSWORD, postgres, run_server


@pytest.fixture(scope="module")
def server_url(cluster_home: Home) -> Iterator[str]:
    """A running server, in a home whose credentials have its password."""
    port = free_port()
    with run_server(postgres(cluster_home, port)):
        (cluster_home.root / "secrets.json").write_text(
            json.dumps({"postgres": PASSWORD, "valkey": "of-valkey", "venue": "of-the-venue"})
        )
        yield postgres_url(port, PASSWORD, "postgres")


def test_a_market_that_was_opened_since_it_was_listed_keeps_its_database_and_its_journal(
    server_url: str, tmp_path: Path
) -> None:
    database = choose_database(server_url, "gold", is_fresh=False)
    journal = tmp_path / database / "journal"
    journal.parent.mkdir()
    journal.write_text("orders")
    listed = find_market(server_url, "gold")

    with psycopg.connect(url_of(server_url, database)):
        with pytest.raises(RefusedError, match="market gold is in use: a session has connected to it just now"):
            delete_market(server_url, listed, tmp_path)
        assert [journal.parent] == list(tmp_path.iterdir())
        assert "orders" == journal.read_text()

    delete_market(server_url, replace(listed, session_count=0), tmp_path)
    assert ([], []) == (list(tmp_path.iterdir()), [one for one in list_markets(server_url) if one.name == "gold"])


def test_the_reader_is_let_into_a_former_market_and_sees_no_secret(server_url: str, cluster_home: Home) -> None:
    url = url_of(server_url, choose_database(server_url, "silver", is_fresh=False))
    upgrade(url)
    credentials = load_credentials(cluster_home)
    for _ in range(2):
        let_reader_in(url, credentials)

    with psycopg.connect(reader_url(url, cluster_home.root), autocommit=True) as reader:
        assert (READER,) == reader.execute("SELECT current_user").fetchone()
        assert (0,) == reader.execute("SELECT count(*) FROM account_now").fetchone()
        reader.execute("SET default_transaction_read_only = off")
        for statement in ("SELECT * FROM hook_secret", "DELETE FROM market_clock"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(statement.encode())


def test_the_reader_is_not_let_into_a_market_of_another_version(server_url: str, cluster_home: Home) -> None:
    url = url_of(server_url, choose_database(server_url, "copper", is_fresh=False))

    with pytest.raises(RefusedError, match=f"database {urlsplit(url).path[1:]} has the schema of another version"):
        let_reader_in(url, load_credentials(cluster_home))
