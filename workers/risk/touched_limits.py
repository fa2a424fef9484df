"""The marks of limits that an account touches: they lock it for good, for the day or for the week."""

from datetime import datetime

from shared.db.risk.risk_snapshots import RiskSnapshot
from shared.domain.market_data.calendar import trading_day_at, trading_week_of
from shared.domain.risk.account_risk import mark_touched_limits


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
