"""Locks that an amount made alone which counted as a result and was none."""

from dataclasses import replace
from decimal import Decimal

from shared.db.accounts.accounts import AccountRow
from shared.db.risk.risk_snapshots import RiskSnapshot
from shared.domain.risk.account_risk import AccountRisk, mark_touched_limits
from shared.domain.risk.marked_limits import is_locked_by, parse_values, subtract, to_document
from shared.errors import RefusedError

COLUMN_OF_MARK = {
    "daily_loss_limit": "locked_on",
    "daily_profit_target": "profit_locked_on",
    "weekly_loss_limit": "week_locked_on",
}
_OF_A_DAY = {"daily_loss_limit", "daily_profit_target"}


def list_marked(risk: AccountRisk) -> set[str]:
    """Return the rules whose lock holds now."""
    marks = {
        "daily_loss_limit": risk.is_day_locked,
        "daily_profit_target": risk.is_profit_locked,
        "weekly_loss_limit": risk.is_week_locked,
    }
    return {rule for rule, is_marked in marks.items() if is_marked}


def find_false_locks(row: AccountRow, after: RiskSnapshot, amount: Decimal, *, is_today: bool) -> list[str]:
    """Return the rules whose mark an amount made alone. `after` is the snapshot with the amount as a move by the firm.

    A limit that is touched now keeps its mark. Raise RefusedError if it is not known whether one is.
    """
    values = parse_values(row.marked_limits)
    found = [
        rule
        for rule in sorted(list_marked(after.risk) & set(values))
        if (is_today or rule not in _OF_A_DAY) and is_locked_by(values[rule], amount, rule, after.book)
    ]
    if found and after.risk.equity is None:
        raise RefusedError(
            f"account {row.id} ({row.name}) holds a position without a fresh price, so it is not known which of its "
            "limits are touched: try again in a session, or close the position first"
        )
    touched = list_marked(mark_touched_limits(_without_marks(after.risk), after.book))
    return [rule for rule in found if rule not in touched]


def change_by_lift(row: AccountRow, lifted: list[str], amount: Decimal) -> dict[str, object]:
    """Return the columns of an account that change when an amount is no result, and these marks are lifted."""
    values = {rule: value for rule, value in parse_values(row.marked_limits).items() if rule not in lifted}
    marks: dict[str, object] = {COLUMN_OF_MARK[rule]: None for rule in lifted}
    return {**marks, "marked_limits": to_document(subtract(values, amount))}


def _without_marks(risk: AccountRisk) -> AccountRisk:
    return replace(risk, is_day_locked=False, is_profit_locked=False, is_week_locked=False)
