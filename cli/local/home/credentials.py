"""The credentials of a home's servers, generated once and stored in a private file."""

import json
import secrets
from dataclasses import asdict, dataclass

from cli.local.home.folder import Home
from shared.errors import SettingsError
from shared.private_file import write_private

_OF_ROLES = ("programs", "reader")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Passwords of the embedded Postgres (its owner, the programs, the reader) and Valkey; the simulator's API key."""

    postgres: str
    valkey: str
    venue: str
    programs: str
    reader: str


def load_credentials(home: Home) -> Credentials:
    """Return the credentials of this home; generate those that are missing. Raise SettingsError for a damaged file.

    A home of an older version has no passwords of roles: the next start gives the roles those that are generated now.
    """
    file = home.root / "secrets.json"
    new = {name: secrets.token_urlsafe(24) for name in Credentials.__dataclass_fields__}
    try:
        stored = json.loads(file.read_text())
        credentials = Credentials(**{name: new[name] for name in _OF_ROLES} | stored)
    except FileNotFoundError:
        stored, credentials = {}, Credentials(**new)
    except (ValueError, TypeError):
        raise SettingsError(
            f"{file} is damaged: restore it from a backup; the databases beside it need its passwords"
        ) from None
    if stored.keys() != new.keys():
        write_private(file, json.dumps(asdict(credentials)))
    return credentials
