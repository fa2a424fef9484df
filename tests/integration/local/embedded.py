"""Embedded servers for tests: their programs, their cluster, and a fake initdb."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.local.home.folder import Home
from cli.local.processes.program import Program, kill_session, start_program
from cli.local.servers.binaries import find_postgres_folder
from cli.local.servers.postgres import postgres_program
from cli.local.servers.unix_user import find_unprivileged_user
from cli.local.servers.valkey import valkey_program
from tests.fixtures.processes import free_port, until

PASSWORD = "a-password-for-tests"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="servers run as another user only when we are root")


def postgres(server_home: Home, port: int = 0, slots: int = 0) -> Program:
    return postgres_program(server_home, find_unprivileged_user(), port or free_port(), PASSWORD, slots)


def valkey(server_home: Home, port: int = 0) -> Program:
    return valkey_program(server_home, find_unprivileged_user(), port or free_port(), PASSWORD)


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
    if unix_user := find_unprivileged_user():
        unix_user.own(file)


def create_fake_binaries(server_home: Home, initdb: str) -> Path:
    """Create a folder with the real postgres and a fake initdb, a script whose $data is the folder to fill."""
    real = find_postgres_folder(server_home, find_unprivileged_user())
    folder = server_home.root / "binaries"
    folder.mkdir()
    for name, script in (("postgres", f'exec "{real}/postgres" "$@"'), ("initdb", f'data="$2"\n{initdb}')):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder
