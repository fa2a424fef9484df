"""Who may come in: users with their keys, and signed tokens; both outlive a restart."""

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
    """Issues and checks tokens (JWT, HS256). Each login adds one; only logout and time end it.

    Users are known in any case; `owner` is the one of the settings, the others are kept beside the secret, their keys
    only as digests.
    """

    def __init__(self, user: str, key: str, secret_file: Path) -> None:
        if not user or not key:
            raise SettingsError("TICKWORK_VENUE_USER or TICKWORK_VENUE_KEY is not set: the simulator lets in only them")
        self.owner = user.lower()
        self._secret = _secret(secret_file)
        self._users_file = secret_file.with_name("users.json")
        self._keys = _read_users(self._users_file) | {self.owner: self._digest(key)}
        self._logged_out: set[str] = set()

    def add_user(self, user: str, key: str) -> None:
        """Let in another user, or a known one with another key; raise ValueError for the owner or an empty name or key.

        When this returns it outlives the process.
        """
        name = user.lower()
        if not name or not key or name == self.owner:
            raise ValueError(f"{user!r} cannot be added: give a user and a key, and not the user of the settings")
        self._keys[name] = self._digest(key)
        kept = {known: digest for known, digest in self._keys.items() if known != self.owner}
        _write_private(self._users_file, msgspec.json.encode(kept))

    def users(self) -> list[str]:
        """Return everybody who may log in, in lower case, the owner first."""
        return sorted(self._keys, key=lambda name: (name != self.owner, name))

    def may_login(self, user: str, key: str) -> bool:
        """Whether we know the user and this is the key."""
        known = self._keys.get(user.lower(), "")
        return hmac.compare_digest(self._digest(key), known)

    def issue(self, user: str) -> str:
        """Return a new token for a user, valid for 24 hours."""
        expires_at = machine_now() + TOKEN_LIFE
        claims = _Claims(sub=user.lower(), jti=secrets.token_hex(8), exp=int(expires_at.timestamp()))
        body = f"{_HEADER}.{_text(msgspec.json.encode(claims))}"
        return f"{body}.{_text(self._sign(body))}"

    def user_of(self, authorization: str) -> str | None:
        """Return the user an Authorization header speaks for, in lower case, or None if it is not good (any more)."""
        claims = self._claims(authorization)
        return claims.sub.lower() if claims else None

    def log_out(self, authorization: str) -> None:
        """End one token."""
        claims = self._claims(authorization)
        if claims:
            self._logged_out.add(claims.jti)

    def _claims(self, authorization: str) -> _Claims | None:
        scheme, _, token = authorization.partition(" ")
        body, _, signature = token.strip().rpartition(".")
        if scheme.lower() != "bearer" or not hmac.compare_digest(signature.encode(), _text(self._sign(body)).encode()):
            return None
        text = body.partition(".")[2]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Claims)
        is_over = datetime.fromtimestamp(claims.exp, UTC) <= machine_now()
        return None if is_over or claims.jti in self._logged_out else claims

    def _sign(self, body: str) -> bytes:
        return hmac.digest(self._secret, body.encode(), hashlib.sha256)

    def _digest(self, key: str) -> str:
        return self._sign(f"key {key}").hex()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


_HEADER = _text(b'{"alg":"HS256","typ":"JWT"}')


def _secret(file: Path) -> bytes:
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
        raise SettingsError(f"{file} cannot be read ({error}): move the file away") from error


def _write_private(file: Path, content: bytes) -> None:
    aside = file.with_suffix(".new")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
    aside.replace(file)
