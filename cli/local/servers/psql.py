"""psql in the place of this process."""

import os
import shutil
from collections.abc import Sequence
from typing import NoReturn
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from cli.local.home.folder import Home
from cli.local.servers.binaries import find_postgres_folder
from shared.config import environment


def start_psql(url: str, home: Home, arguments: Sequence[str]) -> NoReturn:
    """Replace this process with psql: the system's, or that of the embedded server."""
    program = shutil.which("psql") or str(find_postgres_folder(home, None) / "psql")
    without, password = _split_password(url)
    secret = {} if password is None else {"PGPASSWORD": password}
    os.execve(program, [program, f"--dbname={without}", *arguments], environment() | secret)  # noqa: S606  # no shell


def _split_password(url: str) -> tuple[str, str | None]:
    """Return the URL without its password, and that: every user can read a command line, and not an environment.

    A password in the query replaces that of the user, as libpq has it.
    """
    parts = urlsplit(url)
    password = unquote(parts.password) if parts.password else None
    given = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, value) for name, value in given if name != "password"]
    if kept != given:
        password = next(value for name, value in reversed(given) if name == "password")
        parts = parts._replace(query=urlencode(kept, quote_via=quote))
    return parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", "@")).geturl(), password
