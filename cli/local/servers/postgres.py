"""The embedded PostgreSQL: a cluster made once, and the program that serves it."""

import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import psycopg

from cli.local.home.folder import Home
from cli.local.processes.program import Program, tied_to_us
from cli.local.servers.binaries import postgres_folder
from cli.local.servers.stale_server import wait_for_old_server
from cli.local.servers.unix_user import UnixUser
from shared.config import environment
from shared.errors import SettingsError

USER = "tickwork"
# UTF-8 whatever the computer's language is, and checksums on every page.
_INITDB_OPTIONS = ("-U", USER, "-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "-k")


def postgres_url(port: int, password: str, database: str) -> str:
    """Return the URL of one database of the embedded server."""
    return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{database}"


def postgres_program(home: Home, account: UnixUser | None, port: int, password: str) -> Program:
    """Return the server's program, with its cluster made and no older server on it."""
    binaries = postgres_folder(home, account)
    data = _cluster(home, account, binaries, password)
    wait_for_old_server(data / "postmaster.pid", data)
    options = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": "120",
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
        environment=_plain_environment(),
        is_ready=lambda: _answers(url),
        stop_signal=signal.SIGINT,  # fast: clients are cut, everything committed is kept
        death_signal=signal.SIGINT,
        account=account,
        stop_timeout_s=4.0,
    )


def _cluster(home: Home, account: UnixUser | None, binaries: Path, password: str) -> Path:
    major = _major(binaries)
    parent = home.root / "postgres"
    data = parent / f"pg{major}"
    if data.exists():
        return data
    others = sorted(folder.name for folder in parent.glob("pg*") if (folder / "PG_VERSION").exists())
    others = [name for name in others if re.fullmatch(r"pg\d+", name)]
    if others:
        raise SettingsError(
            f"{parent} holds data of {', '.join(others)}, and this PostgreSQL is {major}, which cannot read it: "
            f"set PG_BINDIR to a PostgreSQL {others[-1].removeprefix('pg')}, or dump and restore, "
            "or set TICKWORK_HOME to a new folder"
        )
    parent.mkdir(mode=0o755, exist_ok=True)
    new, password_file = parent / f"pg{major}.init", parent / ".password"
    shutil.rmtree(new, ignore_errors=True)  # of an initdb that was killed
    new.mkdir(mode=0o700)
    password_file.unlink(missing_ok=True)
    with os.fdopen(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password)
    if account:
        account.own(new)
        account.own(password_file)
    try:
        subprocess.run(
            [binaries / "initdb", "-D", new, *_INITDB_OPTIONS, f"--pwfile={password_file}"],
            check=True,
            cwd="/",
            env=_plain_environment(),
            capture_output=True,
            text=True,
            # One that outlived us would clean up in the folder of the next.
            preexec_fn=tied_to_us(signal.SIGKILL),  # runs after the change of user, which would undo it
            **(account.as_user() if account else {}),
        )
    except subprocess.CalledProcessError as error:
        reach = f"; can {account.name} reach {parent}?" if account else ""
        raise SettingsError(f"initdb failed{reach}\n{error.stderr.strip()[-1500:]}") from None
    finally:
        password_file.unlink(missing_ok=True)
    new.rename(data)
    return data


def _major(binaries: Path) -> int:
    done = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True, cwd="/")
    found = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    if found is None:
        raise SettingsError(f"{binaries / 'postgres'} calls itself {done.stdout.strip()!r}: that is no PostgreSQL")
    return int(found.group(1))


def _answers(url: str) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2):
        return True
    return False


def _plain_environment() -> dict[str, str]:
    # A language that this computer does not have must not stop a server.
    return {"PATH": environment().get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}
