"""Users with their keys, and signed tokens; both survive a restart."""

import base64
import hashlib
import hmac
import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from shared.clock import machine_now
from shared.errors import SettingsError

TOKEN_LIFE = timedelta(hours=24)  # machine time


class _Claims(msgspec.Struct):
    sub: str
    jti: str
    exp: int


class Logins:
    """Issues and checks tokens (JWT, HS256). Each login issues one; it ends only by logout or expiry.

    User names ignore case. `owner` is the user of the settings; the others are stored beside the secret, with digests
    of their keys. Raise SettingsError without a user and a key.
    """

    def __init__(self, user: str, key: str, secret_file: Path) -> None:
        if not user or not key:
            raise SettingsError(
                "TICKWORK_VENUE_USER or TICKWORK_VENUE_KEY is not set: the simulator needs both for logins"
            )
        self.owner = user.lower()
        self._secret = _load_secret(secret_file)
        self._users_file = secret_file.with_name("users.json")
        self._keys = _read_users(self._users_file) | {self.owner: self._digest(key)}
        self._logged_out: set[str] = set()

    def add_user(self, user: str, key: str) -> None:
        """Add a user, or change the key of one; raise ValueError for the owner or an empty name or key.

        When this returns, the user survives the process.
        """
        name = user.lower()
        if not name or not key or name == self.owner:
            raise ValueError(
                f"cannot add the user {user!r}: expected a name and a key, and not the user of the settings"
            )
        self._keys[name] = self._digest(key)
        kept = {known: digest for known, digest in self._keys.items() if known != self.owner}
        _write_private(self._users_file, msgspec.json.encode(kept))

    def list_users(self) -> list[str]:
        """Return the users who may log in, in lower case, the owner first."""
        return sorted(self._keys, key=lambda name: (name != self.owner, name))

    def is_valid_login(self, user: str, key: str) -> bool:
        """Whether the user exists and this is the key."""
        known = self._keys.get(user.lower(), "")
        return hmac.compare_digest(self._digest(key), known)

    def issue(self, user: str) -> str:
        """Return a new token for a user, valid for 24 hours."""
        expires_at = machine_now() + TOKEN_LIFE
        claims = _Claims(sub=user.lower(), jti=secrets.token_hex(8), exp=int(expires_at.timestamp()))
        body = f"{_HEADER}.{_base64url(msgspec.json.encode(claims))}"
        return f"{body}.{_base64url(self._sign(body))}"

    def user_of(self, authorization: str) -> str | None:
        """Return the user of an Authorization header, in lower case, or None if its token is invalid or has ended."""
        claims = self._read_claims(authorization)
        return claims.sub.lower() if claims else None

    def log_out(self, authorization: str) -> None:
        """End one token."""
        claims = self._read_claims(authorization)
        if claims:
            self._logged_out.add(claims.jti)

    def _read_claims(self, authorization: str) -> _Claims | None:
        scheme, _, token = authorization.partition(" ")
        body, _, signature = token.strip().rpartition(".")
        if scheme.lower() != "bearer" or not hmac.compare_digest(
            signature.encode(), _base64url(self._sign(body)).encode()
        ):
            return None
        text = body.partition(".")[2]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Claims)
        is_expired = datetime.fromtimestamp(claims.exp, UTC) <= machine_now()
        return None if is_expired or claims.jti in self._logged_out else claims

    def _sign(self, body: str) -> bytes:
        return hmac.digest(self._secret, body.encode(), hashlib.sha256)

    def _digest(self, key: str) -> str:
        return self._sign(f"key {key}").hex()


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


_HEADER = _base64url(b'{"alg":"HS256","typ":"JWT"}')


def _load_secret(file: Path) -> bytes:
    if file.exists() and (kept := file.read_bytes()):
        return kept
    file.parent.mkdir(parents=True, exist_ok=True)
    secret = secrets.token_bytes(32)
    _write_private(file, secret)
    return secret


def _read_users(file: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except msgspec.MsgspecError as error:
        raise SettingsError(f"cannot read {file} ({error}): move the file away") from error


def _write_private(file: Path, content: bytes) -> None:
    new_file = file.with_suffix(".new")
    handle = os.open(new_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
    new_file.replace(file)
