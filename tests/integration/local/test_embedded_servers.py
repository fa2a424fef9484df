"""The embedded Postgres and Valkey: what they keep, whom they trust, and what they do about what the last run left."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from uuid import uuid4

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cli.local.home.folder import Home
from cli.local.processes.program import Program, kill_session, start_program
from cli.local.servers.binaries import find_postgres_folder
from cli.local.servers.database import choose_database
from cli.local.servers.postgres import postgres_program, postgres_url
from cli.local.servers.unix_user import unprivileged
from cli.local.servers.valkey import valkey_program, valkey_url
from shared.errors import SettingsError
from tests.fixtures.processes import free_port, until

PASSWORD = "a-password-for-tests"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="servers run as another user only when we are root")


@pytest.fixture
def server_home(open_folder: Path) -> Home:
    server_home = Home(open_folder / f"home-{uuid4().hex[:8]}")
    server_home.prepare()
    return server_home


@pytest.fixture(scope="module")
def cluster_home(open_folder: Path) -> Home:
    """A home with a cluster; tests run their servers in it one after another."""
    server_home = Home(open_folder / "made")
    server_home.prepare()
    postgres(server_home)
    return server_home


def postgres(server_home: Home, port: int = 0) -> Program:
    return postgres_program(server_home, unprivileged(), port or free_port(), PASSWORD)


def valkey(server_home: Home, port: int = 0) -> Program:
    return valkey_program(server_home, unprivileged(), port or free_port(), PASSWORD)


@contextmanager
def run_server(program: Program) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server until the block ends."""
    process = start_program(program)
    assert process.stdout is not None
    try:
        until(program.is_ready, 60, f"readiness of {program.name}")
        yield process
    finally:
        process.send_signal(program.stop_signal)
        try:
            process.wait(60)
        finally:
            kill_session(process)
            process.wait()
            process.stdout.close()


def find_cluster(server_home: Home) -> Path:
    (folder,) = (folder for folder in (server_home.root / "postgres").glob("pg*") if folder.suffix != ".init")
    return folder


def write_as_server_user(file: Path, text: str) -> None:
    """Write a file as the servers' user would."""
    file.write_text(text)
    if account := unprivileged():
        account.own(file)


def create_fake_binaries(server_home: Home, initdb: str) -> Path:
    """Make a folder with the real postgres, and an initdb of our own: $data is the folder it is to fill."""
    real = find_postgres_folder(server_home, unprivileged())
    folder = server_home.root / "binaries"
    folder.mkdir()
    for name, script in (("postgres", f'exec "{real}/postgres" "$@"'), ("initdb", f'data="$2"\n{initdb}')):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


def test_data_of_another_major_version_is_refused_and_left_unchanged(server_home: Home) -> None:
    old = server_home.root / "postgres" / "pg15"
    old.mkdir(parents=True)
    (old / "PG_VERSION").write_text("15\n")

    with pytest.raises(SettingsError, match="set PG_BINDIR to a PostgreSQL 15") as refused:
        postgres(server_home)
    assert "holds data of pg15" in str(refused.value)
    assert [old] == list(old.parent.iterdir())


def test_half_a_cluster_of_a_killed_initdb_is_never_used(server_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    half = 'echo 18 > "$data/PG_VERSION"; echo "$@" > "$data/arguments"; kill -9 $$'
    monkeypatch.setenv("PG_BINDIR", str(create_fake_binaries(server_home, half)))
    with pytest.raises(SettingsError, match="initdb failed"):
        postgres(server_home)
    (left,) = (server_home.root / "postgres").iterdir()
    assert ".init" == left.suffix
    assert PASSWORD not in (left / "arguments").read_text()

    monkeypatch.delenv("PG_BINDIR")
    port = free_port()
    with (
        run_server(postgres(server_home, port)),
        psycopg.connect(postgres_url(port, PASSWORD, "postgres")) as connection,
    ):
        assert [("UTF8", "on")] == connection.execute(
            "SELECT current_setting('server_encoding'), current_setting('data_checksums')"
        ).fetchall()
    assert [find_cluster(server_home)] == list((server_home.root / "postgres").iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_an_initdb_ends_with_its_killed_parent(server_home: Home) -> None:
    binaries = create_fake_binaries(server_home, 'echo $$ > "$data/pid"; exec sleep 600')
    code = (
        "import sys; from pathlib import Path; from cli.local.home.folder import Home\n"
        "from cli.local.servers.unix_user import unprivileged\n"
        "from cli.local.servers.postgres import postgres_program\n"
        "postgres_program(Home(Path(sys.argv[1])), unprivileged(), 1, 'secret')"
    )
    env = os.environ | {"PG_BINDIR": str(binaries)}
    with subprocess.Popen([sys.executable, "-c", code, str(server_home.root)], env=env) as starter:
        try:
            until(lambda: any((server_home.root / "postgres").glob("*.init/pid")), what="an initdb")
        finally:
            starter.kill()
    (file,) = (server_home.root / "postgres").glob("*.init/pid")
    until(lambda: file.read_text().strip().isdigit(), what="its pid")
    initdb = int(file.read_text())
    try:
        until(lambda: not psutil.pid_exists(initdb), seconds=60, what="the end of initdb")
    finally:
        if psutil.pid_exists(initdb):
            os.kill(initdb, signal.SIGKILL)


def test_the_error_of_a_failed_initdb_is_quoted(server_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_BINDIR", str(create_fake_binaries(server_home, "echo no space left >&2; exit 1")))

    with pytest.raises(SettingsError, match="no space left"):
        postgres(server_home)
    assert not (server_home.root / "postgres" / ".password").exists()


@pytest.mark.parametrize(
    "text",
    [f"{os.getpid()}\n/elsewhere\n", "4194303999\n", "", "not a pid\n"],
    ids=["of another folder", "of no process", "empty", "not a pid"],
)
def test_pid_files_of_other_processes_are_ignored(cluster_home: Home, text: str) -> None:
    valkey(cluster_home)  # makes its folder
    files = [find_cluster(cluster_home) / "postmaster.pid", cluster_home.root / "valkey" / "data" / "valkey.pid"]
    for file in files:
        write_as_server_user(file, text)
    postgres(cluster_home)
    valkey(cluster_home)

    assert [False, False] == [file.exists() for file in files]


def test_a_server_starts_despite_a_stale_pid_file_with_a_reused_pid(cluster_home: Home) -> None:
    port = free_port()
    with run_server(postgres(cluster_home, port)) as killed:
        file = find_cluster(cluster_home) / "postmaster.pid"
        text = file.read_text()
        killed.kill()
        killed.wait()
    write_as_server_user(file, text.replace(str(killed.pid), str(os.getpid())))

    with run_server(postgres(cluster_home, port)):
        assert str(os.getpid()) != file.read_text().splitlines()[0]


@pytest.mark.parametrize("make", [postgres, valkey])
def test_a_start_waits_for_a_server_that_is_shutting_down(
    cluster_home: Home, make: Callable[[Home], Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = make(cluster_home)
    old = start_program(program)
    assert old.stdout is not None
    try:
        until(program.is_ready, 60, f"readiness of {program.name}")
        waits: list[float] = []

        def end_it_while_it_is_waited_for(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 3:
                old.send_signal(program.stop_signal)
            Event().wait(seconds)

        monkeypatch.setattr("cli.local.servers.stale_server.time.sleep", end_it_while_it_is_waited_for)
        make(cluster_home)
        assert len(waits) >= 3
        # A server takes its pid file away as the last thing it does, and is gone a moment later.
        until(lambda: psutil.STATUS_ZOMBIE == psutil.Process(old.pid).status(), 60, "its end")
    finally:
        kill_session(old)
        old.wait()
        old.stdout.close()


def test_a_server_that_does_not_end_is_named_and_no_second_one_starts(
    cluster_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_server(valkey(cluster_home)) as old:
        monkeypatch.setattr("cli.local.servers.stale_server._PATIENCE_S", 0.2)
        with pytest.raises(SettingsError, match=f"process {old.pid} still uses") as refused:
            valkey(cluster_home)
        assert f"kill {old.pid}" in str(refused.value)
        assert (cluster_home.root / "valkey" / "data" / "valkey.pid").exists()


@AS_ROOT
def test_links_planted_by_the_servers_user_never_change_a_file_outside(cluster_home: Home) -> None:
    account = unprivileged()
    assert account is not None
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
    account = unprivileged()
    assert account is not None
    valkey(cluster_home)
    for folder in (cluster_home.root, cluster_home.root / "postgres", cluster_home.root / "valkey"):
        assert (0, 0o755) == (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode))
    for folder in (find_cluster(cluster_home), cluster_home.root / "valkey" / "data"):
        assert (account.uid, 0o700) == (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode))


@AS_ROOT
def test_a_change_of_owner_does_not_follow_a_link(tmp_path: Path) -> None:
    account = unprivileged()
    assert account is not None
    (tmp_path / "precious").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    account.own(tmp_path / "link")

    assert (0, account.uid) == ((tmp_path / "precious").stat().st_uid, (tmp_path / "link").lstat().st_uid)


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
