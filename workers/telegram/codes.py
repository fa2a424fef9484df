"""The codes of authenticator apps (RFC 6238): each is good once, and wrong ones lock for longer and longer."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from pyotp import TOTP
from pyotp.exceptions import OTPVerificationError

_WINDOW = 1  # steps of 30 s to both sides, for clocks that differ and fingers that are slow
_WRONG_UNTIL_LOCKED = 5
_FIRST_LOCK, _LONGEST_LOCK = timedelta(minutes=15), timedelta(days=1)
_MOST_DOUBLINGS = 10


def find_step(secret: str, code: str, moments: Iterable[datetime], used_step: int | None) -> int | None:
    """Return the step of a code that is right at one of the moments, and newer than the one that was used; else None.

    A code is right in its step of 30 s and the ones beside it.
    """
    for moment in moments:
        step = _find_step_at(secret, code, moment)
        if step is not None and (used_step is None or step > used_step):
            return step
    return None


def _find_step_at(secret: str, code: str, moment: datetime) -> int | None:
    try:
        return TOTP(secret).verify_and_get_timecode(code, for_time=moment.timestamp(), valid_window=_WINDOW)
    except OTPVerificationError:
        return None


def find_lock(failed_count: int, now: datetime) -> datetime | None:
    """Return until when this many wrong codes since the last right one lock, None if not.

    The fifth locks for 15 minutes, each fifth after it for twice as long, up to a day: who guesses has then tried about
    one in 100,000 of all codes in a day.
    """
    if failed_count % _WRONG_UNTIL_LOCKED:
        return None
    doublings = min(failed_count // _WRONG_UNTIL_LOCKED - 1, _MOST_DOUBLINGS)
    return now + min(_FIRST_LOCK * (1 << doublings), _LONGEST_LOCK)
