"""The credentials of a home's servers, generated once and stored in a private file."""

import json
import secrets
from dataclasses import asdict, dataclass

from cli.local.home.folder import Home
from shared.errors import SettingsError
from shared.private_file import write_private


@dataclass(frozen=True, slots=True)
class Credentials:
    """Passwords of the embedded Postgres and Valkey, and the API key of the simulator."""

    postgres: str
    valkey: str
    venue: str


def load_credentials(home: Home) -> Credentials:
    """Return the credentials of this home; generate them if there are none. Raise SettingsError for a damaged file."""
    file = home.root / "secrets.json"
    try:
        return Credentials(**json.loads(file.read_text()))
    except FileNotFoundError:
        credentials = Credentials(*(secrets.token_urlsafe(24) for _ in range(3)))
        write_private(file, json.dumps(asdict(credentials)))
        return credentials
    except (ValueError, TypeError):
        raise SettingsError(
            f"{file} is damaged: restore it from a backup; the databases beside it need its passwords"
        ) from None
