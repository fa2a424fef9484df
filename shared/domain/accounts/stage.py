"""Which stage of the firm an account is at, which only its name tells."""

import re
from enum import StrEnum


class Stage(StrEnum):
    """How much is at stake. UNKNOWN is never traded: the firm bans programs from its live accounts."""

    PRACTICE = "PRACTICE"
    COMBINE = "COMBINE"
    EXPRESS = "EXPRESS"
    UNKNOWN = "UNKNOWN"


# The families of names seen so far. Source: venue.md section 5.1. `simulated` says where orders execute, not this.
_STAGES = (
    (re.compile(r"PRAC-"), Stage.PRACTICE),
    (re.compile(r"(50|100|150)KTC-"), Stage.COMBINE),
    (re.compile(r"EXPRESS-"), Stage.EXPRESS),
)


def stage_of(account_name: str) -> Stage:
    """Return the stage that an account's name begins with; UNKNOWN for a name of no family we know."""
    return next((stage for family, stage in _STAGES if family.match(account_name)), Stage.UNKNOWN)
