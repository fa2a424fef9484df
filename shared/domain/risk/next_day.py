"""The end of an account's trading day, at 17:00 in Chicago: what the next day begins with."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from shared.domain.accounts.stage import Stage
from shared.domain.market_data.calendar import count_trading_days, trading_week_of
from shared.domain.risk.account_risk import AccountRisk, day_result
from shared.domain.risk.payouts import is_payout

_ZERO = Decimal(0)


def start_next_day(
    risk: AccountRisk, reported: Decimal, *, ended: date, today: date, stage: Stage, unsettled: Decimal = _ZERO
) -> AccountRisk:
    """Return the risk of an account after its trading day has ended: the one rule of that.

    `reported` is the first balance of the new day, `ended` the trading day of the balance of `risk`. `unsettled` is a
    fall of that balance, zero or below, that may be a payout: it is left to the new day to settle. A balance that
    changed in between changed unseen: the higher of the two counts as the day's last, which is the opening balance of
    the new day and may be a new high-water mark. If it changed while more than one day ended, the high-water mark is
    unknown, and a person must set it, except for a practice account. The marks of the day are reset, and a breach
    stays; so does a lock of the week, as long as it lasts.
    """
    result, highest = day_result(risk), risk.high_water_mark
    results = () if result is None else (result - unsettled,)
    last = reported if risk.balance is None else max(risk.balance, reported)
    was_unseen = reported != risk.balance and count_trading_days(ended, today) > 1 and stage is not Stage.PRACTICE
    was_paid = risk.balance is not None and is_payout(risk.moved_today, risk.balance, stage)
    is_same_week = trading_week_of(ended) == trading_week_of(today)
    return replace(
        risk,
        balance=reported,
        day_opening_balance=last if risk.balance is None else max(last, risk.balance - unsettled),
        moved_today=Decimal(0),
        high_water_mark=None if highest is None or was_unseen else max(highest, last),
        is_day_locked=False,
        is_profit_locked=False,
        is_week_locked=risk.is_week_locked and is_same_week,
        is_reduced=False,
        trade_count_today=0,
        closed_trades=(),
        opening_costs=Decimal(0),
        days=(*risk.days, *results),
        days_since_payout=() if was_paid else (*risk.days_since_payout, *results),
        earlier_week_result=sum(results, start=risk.earlier_week_result) if is_same_week else _ZERO,
    )
