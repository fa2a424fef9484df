"""The embedded Postgres and Valkey: permissions, passwords, durability and databases."""

import stat
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cli.local.home.folder import Home
from cli.local.servers.database import choose_database
from cli.local.servers.postgres import postgres_url
from cli.local.servers.unix_user import find_unprivileged_user
from cli.local.servers.valkey import valkey_url
from shared.db.upkeep.connection_limit import count_needed_connections
from tests.fixtures.processes import free_port
from tests.integration.local.embedded import AS_ROOT, PASSWORD, find_cluster, postgres, run_server, valkey


@AS_ROOT
def test_links_planted_by_the_servers_user_never_change_a_file_outside(cluster_home: Home) -> None:
    unix_user = find_unprivileged_user()
    assert unix_user is not None
    valkey(cluster_home)
    outside = cluster_home.root / "outside"
    outside.mkdir()
    precious = outside / "precious"
    precious.write_text("7\n")
    precious.chmod(0o600)
    owners = [(file, file.stat().st_uid, file.stat().st_gid, file.stat().st_mode) for file in (outside, precious)]
    data = cluster_home.root / "valkey" / "data"
    links = [data / "valkey.pid", data / "valkey.conf", find_cluster(cluster_home) / "postmaster.pid"]
    for link in links:
        link.unlink(missing_ok=True)
        link.symlink_to(precious)
    port, broker_port = free_port(), free_port()
    with run_server(postgres(cluster_home, port)), run_server(valkey(cluster_home, broker_port)):
        pass
    for link in links:
        link.unlink(missing_ok=True)

    assert "7\n" == precious.read_text()
    assert owners == [
        (file, file.stat().st_uid, file.stat().st_gid, file.stat().st_mode) for file in (outside, precious)
    ]
    assert [precious] == list(outside.iterdir())


@AS_ROOT
def test_the_servers_user_can_write_only_in_its_own_folders(cluster_home: Home) -> None:
    unix_user = find_unprivileged_user()
    assert unix_user is not None
    valkey(cluster_home)
    for folder in (cluster_home.root, cluster_home.root / "postgres", cluster_home.root / "valkey"):
        assert (0, 0o755) == (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode))
    for folder in (find_cluster(cluster_home), cluster_home.root / "valkey" / "data"):
        assert (unix_user.uid, 0o700) == (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode))


@AS_ROOT
def test_a_change_of_owner_does_not_follow_a_link(tmp_path: Path) -> None:
    unix_user = find_unprivileged_user()
    assert unix_user is not None
    (tmp_path / "precious").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    unix_user.own(tmp_path / "link")

    assert (0, unix_user.uid) == ((tmp_path / "precious").stat().st_uid, (tmp_path / "link").lstat().st_uid)


def test_servers_need_a_password_listen_on_loopback_and_never_show_it(cluster_home: Home) -> None:
    port, broker_port = free_port(), free_port()
    with run_server(postgres(cluster_home, port)) as database, run_server(valkey(cluster_home, broker_port)) as broker:
        for server, own_port in ((database, port), (broker, broker_port)):
            process = psutil.Process(server.pid)
            for one in (process, *process.children(recursive=True)):
                assert PASSWORD not in " ".join(one.cmdline())
                assert PASSWORD not in "".join(one.environ().values())
            assert {("127.0.0.1", own_port)} == {
                tuple(one.laddr) for one in process.net_connections() if one.status == psutil.CONN_LISTEN
            }
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(postgres_url(port, "guessed", "postgres"))
        with (
            redis.Redis(port=broker_port, retry=Retry(NoBackoff(), 0)) as client,
            pytest.raises(redis.AuthenticationError),
        ):
            client.ping()
    assert 0o600 == stat.S_IMODE((cluster_home.root / "valkey" / "valkey.conf").stat().st_mode)


def test_the_broker_persists_writes_never_evicts_and_survives_a_kill(cluster_home: Home) -> None:
    port = free_port()
    with run_server(valkey(cluster_home, port)) as server, redis.Redis.from_url(valkey_url(port, PASSWORD)) as client:
        found = client.config_get("append*") | client.config_get("maxmemory-policy") | client.config_get("save")
        assert ("yes", "everysec") == (found["appendonly"], found["appendfsync"])
        assert ("noeviction", "") == (found["maxmemory-policy"], found["save"])
        client.set("kept", "well")
        assert [1, 0] == client.execute_command("WAITAOF", 1, 0, 20_000)
        server.kill()
        server.wait()

    with run_server(valkey(cluster_home, port)), redis.Redis.from_url(valkey_url(port, PASSWORD)) as client:
        assert b"well" == client.get("kept")


def test_a_committed_row_survives_a_killed_server(cluster_home: Home) -> None:
    port = free_port()
    url = postgres_url(port, PASSWORD, "postgres")
    with run_server(postgres(cluster_home, port)) as server, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (7)")
        server.kill()
        server.wait()

    with run_server(postgres(cluster_home, port)), psycopg.connect(url) as connection:
        assert (7,) == connection.execute("SELECT n FROM kept").fetchone()


def test_a_market_keeps_its_database_until_a_fresh_one_is_created(cluster_home: Home) -> None:
    port = free_port()
    with run_server(postgres(cluster_home, port)):
        server = postgres_url(port, PASSWORD, "postgres")

        assert "tickwork_gold" == choose_database(server, "gold", is_fresh=False)
        assert "tickwork_gold" == choose_database(server, "gold", is_fresh=False)
        second = choose_database(server, "gold", is_fresh=True)
        assert "tickwork_gold" != second
        assert second == choose_database(server, "gold", is_fresh=False)
        third = choose_database(server, "gold", is_fresh=True)
        assert third not in {"tickwork_gold", second}
        assert third == choose_database(server, "gold", is_fresh=False)


def test_markets_with_a_common_name_prefix_have_separate_databases(cluster_home: Home) -> None:
    port = free_port()
    with run_server(postgres(cluster_home, port)):
        server = postgres_url(port, PASSWORD, "postgres")
        april = choose_database(server, "mgc_2022_04", is_fresh=False)

        assert "tickwork_mgc_2022" == choose_database(server, "mgc_2022", is_fresh=False) != april
        fresh = choose_database(server, "mgc_2022", is_fresh=True)
        assert april == choose_database(server, "mgc_2022_04", is_fresh=False) != fresh


@pytest.mark.parametrize(("slots", "allowed"), [(20, 120), (256, 828)])
def test_postgres_allows_the_connections_that_the_slots_need(cluster_home: Home, slots: int, allowed: int) -> None:
    port = free_port()
    url = postgres_url(port, PASSWORD, "postgres")
    with run_server(postgres(cluster_home, port, slots)), psycopg.connect(url) as connection:
        assert (str(allowed),) == connection.execute("SHOW max_connections").fetchone()

    assert allowed > count_needed_connections(slots)
