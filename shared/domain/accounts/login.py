"""A login's token: when it should be renewed and when it is over, as far as its text tells."""

import hashlib
import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

# Source: venue.md section 3.5.
_LIFE = timedelta(hours=24)
_LEFT_AT_END = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Token:
    """What the venue lets us in with; `text` is secret. From `renew_at` it should be renewed, at `ends_at` it is over.

    Both are machine time.
    """

    text: str = field(repr=False)
    renew_at: datetime
    ends_at: datetime


def token_of(text: str, issued_at: datetime) -> Token:
    """Return the token that the venue has just issued: it lives until its `exp`, or for a day if it names none.

    It is renewed at half its life, give or take a 24th of it: 12 h and up to an hour, so that no two stacks keep step.
    """
    ends_at = _expiry(text)
    # A token that is over when it is issued tells of clocks that disagree: a 401 will say for certain.
    life = _LIFE if ends_at is None or ends_at <= issued_at else ends_at - issued_at
    renew_at = issued_at + life / 2 + _drawn(text, life / 24)
    return Token(text, renew_at, issued_at + life - min(_LEFT_AT_END, life / 10))


def _drawn(text: str, most: timedelta) -> timedelta:
    """Return a duration from -`most` to `most` that looks random and is the same for the same text."""
    drawn = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    return most * (drawn - 2**31) / 2**31


def _expiry(text: str) -> datetime | None:
    parts = text.split(".")
    if len(parts) != 3:  # noqa: PLR2004  # header, claims, signature: RFC 7519
        return None
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (ValueError, LookupError, TypeError, OverflowError, OSError):
        return None
