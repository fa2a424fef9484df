"""The ended trading days of an account."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Connection, select

from shared.db.tables.accounts import account_day


class MonthBalances(NamedTuple):
    """The balances at the begin of the first and the end of the last ended day, and what the firm moved between."""

    opening: Decimal | None
    closing: Decimal | None
    moved: Decimal


def read_month(connection: Connection, account_id: int, first: date, end: date) -> MonthBalances:
    """Return the balances of the ended trading days from `first` on and before `end`."""
    statement = select(account_day).where(
        account_day.c.account_id == account_id, account_day.c.trading_day >= first, account_day.c.trading_day < end
    )
    days = list(connection.execute(statement.order_by(account_day.c.trading_day)))
    if not days:
        return MonthBalances(None, None, Decimal(0))
    moved = sum((one.moved for one in days), start=Decimal(0))
    return MonthBalances(days[0].opening_balance, days[-1].closing_balance, moved)
