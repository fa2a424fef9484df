"""The embedded PostgreSQL: its cluster, created once, and its program."""

import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import psycopg

from cli.local.home.folder import Home
from cli.local.processes.program import Program, tie_to_us
from cli.local.processes.program_lines import LostClaimFilter
from cli.local.servers.binaries import find_postgres_folder
from cli.local.servers.stale_server import wait_for_old_server
from cli.local.servers.unix_user import UnixUser
from shared.config import environment
from shared.db.connect import connect
from shared.errors import SettingsError

USER = "tickwork"
_LEAST_CONNECTIONS = 120
# UTF-8 whatever the computer's locale, and checksums on every page.
_INITDB_OPTIONS = ("-U", USER, "-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "-k")


def postgres_url(port: int, password: str, database: str, role: str = USER) -> str:
    """Return the URL of one database of the embedded server, by default for its owner, who is a superuser."""
    return f"postgresql://{role}:{password}@127.0.0.1:{port}/{database}"


def postgres_program(home: Home, unix_user: UnixUser | None, port: int, password: str, slots: int = 0) -> Program:
    """Return the server's program; create its cluster if needed, and wait for an older server on it to end.

    It allows the connections that a stack with so many slots needs, and some for you.
    """
    binaries = find_postgres_folder(home, unix_user)
    data = _create_cluster(home, unix_user, binaries, password)
    wait_for_old_server(data / "postmaster.pid", data)
    options = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": str(max(_LEAST_CONNECTIONS, 60 + 3 * slots)),
        "log_min_messages": "warning",
        "log_line_prefix": "",
    }
    url = postgres_url(port, password, "postgres")
    return Program(
        name="postgres",
        command=[
            binaries / "postgres",
            *("-D", data, "-p", str(port)),
            *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
        ],
        environment=_server_environment(),
        is_ready=lambda: _is_answering(url),
        stop_signal=signal.SIGINT,  # fast shutdown: ends connections, keeps every commit
        death_signal=signal.SIGINT,
        unix_user=unix_user,
        stop_timeout_s=4.0,
        is_noise=LostClaimFilter(),
    )


def _create_cluster(home: Home, unix_user: UnixUser | None, binaries: Path, password: str) -> Path:
    major = _read_major_version(binaries)
    parent = home.root / "postgres"
    data = parent / f"pg{major}"
    if data.exists():
        return data
    others = sorted(folder.name for folder in parent.glob("pg*") if (folder / "PG_VERSION").exists())
    others = [name for name in others if re.fullmatch(r"pg\d+", name)]
    if others:
        raise SettingsError(
            f"{parent} holds data of {', '.join(others)}, which this PostgreSQL {major} cannot read: "
            f"set PG_BINDIR to a PostgreSQL {others[-1].removeprefix('pg')}, or dump and restore, "
            "or set TICKWORK_HOME to a new folder"
        )
    parent.mkdir(mode=0o755, exist_ok=True)
    new, password_file = parent / f"pg{major}.init", parent / ".password"
    shutil.rmtree(new, ignore_errors=True)  # left by a killed initdb
    new.mkdir(mode=0o700)
    password_file.unlink(missing_ok=True)
    with os.fdopen(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password)
    if unix_user:
        unix_user.own(new)
        unix_user.own(password_file)
    try:
        subprocess.run(
            [binaries / "initdb", "-D", new, *_INITDB_OPTIONS, f"--pwfile={password_file}"],
            check=True,
            cwd="/",
            env=_server_environment(),
            capture_output=True,
            text=True,
            # An initdb that outlived this process would clean up in the folder of the next one.
            preexec_fn=tie_to_us(signal.SIGKILL),  # runs after the change of user, which would reset the death signal
            **(unix_user.as_user() if unix_user else {}),
        )
    except subprocess.CalledProcessError as error:
        hint = f": check that user {unix_user.name} can enter {parent}" if unix_user else ""
        raise SettingsError(f"initdb failed{hint}\n{error.stderr.strip()[-1500:]}") from None
    finally:
        password_file.unlink(missing_ok=True)
    new.rename(data)
    return data


def _read_major_version(binaries: Path) -> int:
    done = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True, cwd="/")
    found = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    if found is None:
        raise SettingsError(f"{binaries / 'postgres'} is not PostgreSQL: its version is {done.stdout.strip()!r}")
    return int(found.group(1))


def _is_answering(url: str) -> bool:
    with suppress(psycopg.OperationalError), connect(url, program="up", connect_timeout=2):
        return True
    return False


def _server_environment() -> dict[str, str]:
    # LC_ALL=C, because a locale missing on this computer would stop the server.
    return {"PATH": environment().get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}
