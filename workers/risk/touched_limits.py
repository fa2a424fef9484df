"""The marks of limits that an account touches: they lock it for good, for the day or for the week."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from shared.db.risk.false_locks import COLUMN_OF_MARK, list_marked
from shared.db.risk.risk_snapshots import RiskSnapshot
from shared.domain.market_data.calendar import trading_day_at, trading_week_of
from shared.domain.risk.account_risk import mark_touched_limits
from shared.domain.risk.marked_limits import keep_worst, measure_limits, parse_values, to_document


def find_touched_limits(snapshot: RiskSnapshot, market_now: datetime) -> dict[str, object]:
    """Return the changes of the account's row that lock it for good, for the day or for the week."""
    account, day = snapshot.account, trading_day_at(market_now)
    now_marked = mark_touched_limits(snapshot.risk, snapshot.book)
    changed: dict[str, object] = {}
    if now_marked.is_breached and account.breached_market_at is None:
        changed["breached_market_at"] = market_now
    if now_marked.is_day_locked and account.locked_on != day:
        changed["locked_on"] = day
    if now_marked.is_profit_locked and account.profit_locked_on != day:
        changed["profit_locked_on"] = day
    if now_marked.is_week_locked and account.week_locked_on != trading_week_of(day):
        changed["week_locked_on"] = trading_week_of(day)
    return changed


def keep_values(snapshot: RiskSnapshot, changed: Mapping[str, object]) -> dict[str, object]:
    """Return the change of the row that keeps the worst value of each marked limit, those `changed` now included.

    By it a person's word that an amount was a payout lifts what that amount alone has locked.
    """
    account = snapshot.account
    before = parse_values(account.marked_limits)
    new = {rule for rule, column in COLUMN_OF_MARK.items() if column in changed}
    unexplained = changed.get("unexplained_balance", account.unexplained_balance)
    now = measure_limits(snapshot.risk, unexplained if isinstance(unexplained, Decimal) else Decimal(0))
    values = keep_worst(before, now, list_marked(snapshot.risk), new)
    return {} if values == before else {"marked_limits": to_document(values)}
