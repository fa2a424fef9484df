"""The stage of the firm's programme that an account is at, and what else its name says."""

import re
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """A stage of the firm's programme. UNKNOWN is never traded: the firm bans programs from its live accounts."""

    PRACTICE = "PRACTICE"
    COMBINE = "COMBINE"
    EXPRESS = "EXPRESS"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class NameFamily:
    """Accounts whose names begin alike, in any letter case: how people write the beginning, and its pattern."""

    beginning: str
    pattern: str
    stage: Stage


# The families seen at the venue; a month is followed by a year. Source: venue.md sections 5.1 and 7.6. The venue's
# `simulated` is no stage: it marks where orders execute.
_MONTH = r"(JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)\d"
FAMILIES = (
    NameFamily("PRAC-", r"PRAC-", Stage.PRACTICE),
    NameFamily("PRACTICE<month>", rf"PRACTICE{_MONTH}", Stage.PRACTICE),
    NameFamily("50KTC-, 100KTC-, 150KTC-", r"(50|100|150)KTC-", Stage.COMBINE),
    NameFamily("S1<month>", rf"S1{_MONTH}", Stage.COMBINE),
    NameFamily("EXPRESS-", r"EXPRESS-", Stage.EXPRESS),
    NameFamily("EXPRESS<month>", rf"EXPRESS{_MONTH}", Stage.EXPRESS),
)
_STAGES = tuple((re.compile(family.pattern, re.IGNORECASE), family.stage) for family in FAMILIES)
_SIZE = re.compile(r"(50|100|150)KTC-", re.IGNORECASE)
_DAILY_LOSS_LIMIT = re.compile(r"-DLL(-|$)", re.IGNORECASE)
EXPECTED_NAMES = " or ".join([", ".join(one.beginning for one in FAMILIES[:-1]), FAMILIES[-1].beginning])


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


def describe_unknown(account_name: str) -> str:
    """Return why an account of unknown stage is never traded, and what a person can do."""
    return (
        f"{account_name}: unknown stage, so it is never traded: expected a name that begins with {EXPECTED_NAMES}. "
        "A Live Funded account stays so, as the firm bans programs there; for a practice, Combine or Express account, "
        "open an issue with the beginning of its name, without its digits"
    )
