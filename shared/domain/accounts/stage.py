"""The stage of the firm's programme that an account is at, and what else its name says."""

import re
from enum import StrEnum


class Stage(StrEnum):
    """A stage of the firm's programme. UNKNOWN is never traded: the firm bans programs from its live accounts."""

    PRACTICE = "PRACTICE"
    COMBINE = "COMBINE"
    EXPRESS = "EXPRESS"
    UNKNOWN = "UNKNOWN"


# The families of names seen at the venue, in any letter case: a month and a year stand for any. Source: venue.md
# sections 5.1 and 7.6. The venue's `simulated` is no stage: it marks where orders execute.
_MONTH = "(JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)"
_STAGES = (
    (re.compile(rf"PRAC-|PRACTICE{_MONTH}\d", re.IGNORECASE), Stage.PRACTICE),
    (re.compile(rf"(50|100|150)KTC-|S1{_MONTH}\d", re.IGNORECASE), Stage.COMBINE),
    (re.compile(rf"EXPRESS(-|{_MONTH}\d)", re.IGNORECASE), Stage.EXPRESS),
)
_SIZE = re.compile(r"(50|100|150)KTC-", re.IGNORECASE)
_DAILY_LOSS_LIMIT = re.compile(r"-DLL-", re.IGNORECASE)
EXPECTED_NAMES = "PRAC-, PRACTICE<month>, 50KTC-, 100KTC-, 150KTC-, S1<month>, EXPRESS- or EXPRESS<month>"


def parse_stage(account_name: str) -> Stage:
    """Return the stage by the beginning of an account's name; UNKNOWN for any other beginning."""
    return next((stage for prefix, stage in _STAGES if prefix.match(account_name)), Stage.UNKNOWN)


def parse_size(account_name: str) -> int | None:
    """Return the account size in dollars that a name such as 50KTC-V2-1 says, or None."""
    found = _SIZE.match(account_name)
    return int(found[1]) * 1000 if found else None


def has_daily_loss_limit(account_name: str) -> bool:
    """Whether the name says that a daily loss limit was bought; see venue.md section 7.6."""
    return _DAILY_LOSS_LIMIT.search(account_name) is not None
