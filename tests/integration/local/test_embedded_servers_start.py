"""The start of the embedded servers: initdb, stale pid files and old servers."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from threading import Event

import psutil
import psycopg
import pytest

from cli.local.home.folder import Home
from cli.local.processes.program import Program, kill_session, start_program
from cli.local.servers.postgres import postgres_url
from shared.errors import SettingsError
from tests.fixtures.processes import free_port, until
from tests.integration.local.embedded import (
    PASSWORD,
    create_fake_binaries,
    find_cluster,
    postgres,
    run_server,
    valkey,
    write_as_server_user,
)


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
        "from cli.local.servers.unix_user import find_unprivileged_user\n"
        "from cli.local.servers.postgres import postgres_program\n"
        "postgres_program(Home(Path(sys.argv[1])), find_unprivileged_user(), 1, 'secret')"
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
        monkeypatch.setattr("cli.local.servers.stale_server._TIMEOUT_S", 0.2)
        with pytest.raises(SettingsError, match=f"process {old.pid} still uses") as refused:
            valkey(cluster_home)
        assert f"kill {old.pid}" in str(refused.value)
        assert (cluster_home.root / "valkey" / "data" / "valkey.pid").exists()
