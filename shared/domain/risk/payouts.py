"""Payouts of Express accounts: which moves of a balance are one, and the way to the next."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from shared.domain.accounts.stage import Stage
from shared.domain.counting import count_of
from shared.domain.risk.account_risk import AccountRisk, day_result
from shared.domain.risk.findings import dollars
from shared.domain.risk.rule_book import RuleBook

# Source of the figures of both ways: venue.md section 9. Which caps belong to which way is our reading of it.
_WINNING_DAY = Decimal(150)
_WINNING_DAYS = 5
_TRADING_DAYS = 3
_BEST_DAY_SHARE = Decimal("0.40")
_SHARE_OF_BALANCE = Decimal("0.50")
_STANDARD_CAPS = {50_000: Decimal(2_000), 100_000: Decimal(3_000), 150_000: Decimal(5_000)}
_CONSISTENCY_CAPS = {50_000: Decimal(3_000), 100_000: Decimal(4_000), 150_000: Decimal(6_000)}
LEAST_PAYOUT = Decimal(100)  # of a day; our assumption: what is smaller corrects a fee


@dataclass(frozen=True, slots=True)
class PayoutWay:
    """One way to the next payout: its days done and needed, what it still lacks, and the most that it can pay now."""

    name: str
    days: int
    days_needed: int
    lacks: str | None
    most: Decimal


def is_payout(amount: Decimal, balance: Decimal, stage: Stage) -> bool:
    """Whether what moved a balance on a day without a trade is a payout, after which the loss limit level is zero.

    `amount` is below zero if the balance fell to `balance`, which a payout leaves above zero. A level that is too high
    is the strict side.
    """
    return stage is Stage.EXPRESS and amount <= -LEAST_PAYOUT and balance > 0


def list_payout_ways(risk: AccountRisk, book: RuleBook) -> list[PayoutWay]:
    """Return the ways to the next payout of an Express account, by the days since the last one, today included.

    None for another stage, or while a balance is missing. A winning day has a net result of at least 150 dollars.
    """
    today = day_result(risk)
    if book.stage is not Stage.EXPRESS or today is None or risk.balance is None:
        return []
    results = (*risk.days_since_payout, today)
    half = max(Decimal(0), risk.balance * _SHARE_OF_BALANCE)
    winning = sum(1 for result in results if result >= _WINNING_DAY)
    trading = sum(1 for result in results if result)
    missing = _WINNING_DAYS - winning
    standard = f"{count_of(missing, 'more winning day')} of at least {dollars(_WINNING_DAY)}" if missing > 0 else None
    return [
        PayoutWay("standard", winning, _WINNING_DAYS, standard, min(half, _STANDARD_CAPS[book.size])),
        PayoutWay(
            "consistency", trading, _TRADING_DAYS, _consistency_lacks(results), min(half, _CONSISTENCY_CAPS[book.size])
        ),
    ]


def _consistency_lacks(results: Sequence[Decimal]) -> str | None:
    missing = _TRADING_DAYS - sum(1 for result in results if result)
    best, total = max(results), sum(results, start=Decimal(0))
    lacks = [count_of(missing, "more trading day")] if missing > 0 else []
    if total <= 0:
        lacks.append(f"a profit; the total since the last payout is {dollars(total)}")
    elif best > _BEST_DAY_SHARE * total:
        needed = best / _BEST_DAY_SHARE
        lacks.append(
            f"a profit of {dollars(needed)}, as the best day {dollars(best)} is {best / total:.1%} of the "
            f"{dollars(total)} made, and {_BEST_DAY_SHARE:.0%} is allowed"
        )
    return " and ".join(lacks) or None
