"""Who may come in: one user with one key, and signed tokens that outlive a restart."""

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
    """Issues and checks tokens (JWT, HS256). Each login adds one; only logout and time end it."""

    def __init__(self, user: str, key: str, secret_file: Path) -> None:
        if not user or not key:
            raise SettingsError("TICKWORK_VENUE_USER or TICKWORK_VENUE_KEY is not set: the simulator lets in only them")
        self._user = user
        self._key = key
        self._secret = _secret(secret_file)
        self._logged_out: set[str] = set()

    def may_login(self, user: str, key: str) -> bool:
        """Whether user (in any case) and key are the ones we know."""
        is_user = hmac.compare_digest(user.lower().encode(), self._user.lower().encode())
        return hmac.compare_digest(key.encode(), self._key.encode()) and is_user

    def issue(self) -> str:
        """Return a new token, valid for 24 hours."""
        expires_at = machine_now() + TOKEN_LIFE
        claims = _Claims(sub=self._user, jti=secrets.token_hex(8), exp=int(expires_at.timestamp()))
        body = f"{_HEADER}.{_text(msgspec.json.encode(claims))}"
        return f"{body}.{_text(self._sign(body))}"

    def user_of(self, authorization: str) -> str | None:
        """Return the user an Authorization header speaks for, or None if it is not good (any more)."""
        claims = self._claims(authorization)
        return claims.sub if claims else None

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


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


_HEADER = _text(b'{"alg":"HS256","typ":"JWT"}')


def _secret(file: Path) -> bytes:
    if file.exists() and (kept := file.read_bytes()):
        return kept
    file.parent.mkdir(parents=True, exist_ok=True)
    secret = secrets.token_bytes(32)
    aside = file.with_suffix(".new")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(secret)
    aside.replace(file)
    return secret
