"""The URL with which a person's session reads the embedded server: that of the role that sees no secret."""

import json
from pathlib import Path
from urllib.parse import quote, urlsplit

from shared.db.roles import PROGRAMS, READER
from shared.errors import SettingsError


def is_of_programs(url: str) -> bool:
    """Whether this is the URL of an embedded server for its programs."""
    return urlsplit(url).username == PROGRAMS


def reader_url(url: str, home: Path) -> str:
    """Return the URL of the same database for the reader; raise SettingsError if `home` has no password of it."""
    file = home / "secrets.json"
    try:
        password: str = json.loads(file.read_text())["reader"]
    except (OSError, ValueError, LookupError, TypeError):
        raise SettingsError(
            f"{file} has no password of the role that reads: restart the stack of this home, or set TICKWORK_HOME"
        ) from None
    parts = urlsplit(url)
    return parts._replace(netloc=f"{READER}:{quote(password, safe='')}@{parts.netloc.rpartition('@')[2]}").geturl()
