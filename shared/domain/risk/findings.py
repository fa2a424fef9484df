"""The finding of a rule: the action that it demands, its figures, and when it lifts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum

from shared.domain.market_data.calendar import CHICAGO
from shared.domain.risk.account_risk import AccountRisk


class RuleAction(IntEnum):
    """The action a rule demands, weakest first; REDUCE closes half, FLATTEN closes and cancels all."""

    NONE = 0
    WARN = 1
    BLOCK = 2
    REDUCE = 3
    FLATTEN = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """The finding of one rule, with its figures; `lifts_market_at` is when it lifts by itself, or None.

    `groups` are those of the contracts that it means, None: all.
    """

    rule: str
    action: RuleAction
    message: str
    lifts_market_at: datetime | None = None
    groups: frozenset[str] | None = None


def strongest_action(findings: Iterable[Finding]) -> RuleAction:
    """Return the strongest action among findings; NONE without any."""
    return max((finding.action for finding in findings), default=RuleAction.NONE)


def limited_finding(risk: AccountRisk, rule: str, action: RuleAction, message: str, lifts: datetime | None) -> Finding:
    """Return a finding whose action is at most BLOCK if the account is flat, or if it would reduce twice a day."""
    if risk.is_flat or (action is RuleAction.REDUCE and risk.is_reduced):
        action = min(action, RuleAction.BLOCK)
    return Finding(rule, action, message, lifts)


def chicago_time(instant: datetime) -> str:
    """Return an instant as text, in Chicago's time."""
    return f"{instant.astimezone(CHICAGO):%Y-%m-%d %H:%M:%S} Chicago"


def dollars(money: Decimal | None) -> str:
    """Return an amount as text, to the cent; "unknown" for None."""
    return "unknown" if money is None else f"{money:,.2f}"
