"""The token of a login: when to renew it, and when it expires."""

import hashlib
import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

# Source: venue.md section 3.5.
_DEFAULT_LIFE = timedelta(hours=24)
_SAFETY_MARGIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Token:
    """A token that the venue issued; `text` is secret. Renew it from `renew_at` on; it expires at `ends_at`.

    Both are machine time.
    """

    text: str = field(repr=False)
    renew_at: datetime
    ends_at: datetime


def parse_token(text: str, issued_at: datetime) -> Token:
    """Return the token that the venue has just issued: it lives until its `exp` claim, or for 24 h without one.

    `ends_at` is a minute before that, or a tenth of the life where that is less. `renew_at` is at half the life, plus
    or minus up to a 24th of it: of 24 h, at 12 h plus or minus up to 1 h, so that two stacks do not renew together.
    """
    ends_at = _read_expiry(text)
    # A token that expires before it is issued means that the clocks differ: assume 24 h, and let a 401 decide.
    life = _DEFAULT_LIFE if ends_at is None or ends_at <= issued_at else ends_at - issued_at
    renew_at = issued_at + life / 2 + _jitter(text, life / 24)
    return Token(text, renew_at, issued_at + life - min(_SAFETY_MARGIN, life / 10))


def _jitter(text: str, limit: timedelta) -> timedelta:
    """Return a pseudo-random duration from -`limit` to `limit`, always the same for the same text."""
    drawn = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    return limit * (drawn - 2**31) / 2**31


def _read_expiry(text: str) -> datetime | None:
    parts = text.split(".")
    if len(parts) != 3:  # noqa: PLR2004  # header, claims, signature: RFC 7519
        return None
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (ValueError, LookupError, TypeError, OverflowError, OSError):
        return None
