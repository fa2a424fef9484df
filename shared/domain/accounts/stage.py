"""The stage of the firm's programme that an account is at, read from its name."""

import re
from enum import StrEnum


class Stage(StrEnum):
    """A stage of the firm's programme. UNKNOWN is never traded: the firm bans programs from its live accounts."""

    PRACTICE = "PRACTICE"
    COMBINE = "COMBINE"
    EXPRESS = "EXPRESS"
    UNKNOWN = "UNKNOWN"


# The name prefixes seen at the venue. Source: venue.md section 5.1. The venue's `simulated` is no
# stage: it marks where orders execute.
_STAGES = (
    (re.compile(r"PRAC-"), Stage.PRACTICE),
    (re.compile(r"(50|100|150)KTC-"), Stage.COMBINE),
    (re.compile(r"EXPRESS-"), Stage.EXPRESS),
)


def parse_stage(account_name: str) -> Stage:
    """Return the stage by the prefix of an account's name; UNKNOWN for any other prefix."""
    return next((stage for prefix, stage in _STAGES if prefix.match(account_name)), Stage.UNKNOWN)
