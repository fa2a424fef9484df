"""The passwords of this home's own servers, made once and kept in a private file."""

import json
import secrets
from dataclasses import asdict, dataclass

from cli.local.home.folder import Home, write_private
from shared.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Credentials:
    """Passwords of the embedded Postgres and Valkey, and the key that the simulator asks for."""

    postgres: str
    valkey: str
    venue: str


def load_credentials(home: Home) -> Credentials:
    """Return the keys of this home, made now if there are none."""
    file = home.root / "secrets.json"
    try:
        return Credentials(**json.loads(file.read_text()))
    except FileNotFoundError:
        keys = Credentials(*(secrets.token_urlsafe(24) for _ in range(3)))
        write_private(file, json.dumps(asdict(keys)))
        return keys
    except (ValueError, TypeError):
        raise SettingsError(
            f"{file} is damaged: put it back from a backup; without it the databases beside it cannot be opened"
        ) from None
