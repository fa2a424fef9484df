"""The trading days of an account that have ended."""

from datetime import date
from decimal import Decimal

from sqlalchemy import Connection, select

from shared.db.tables.accounts import account_day


def list_ended(connection: Connection, account_id: int) -> list[tuple[date, Decimal]]:
    """Return the trading days that have ended, oldest first, each with its result in dollars."""
    result = account_day.c.closing_balance - account_day.c.opening_balance
    statement = select(account_day.c.trading_day, result).where(account_day.c.account_id == account_id)
    return [(day, change) for day, change in connection.execute(statement.order_by(account_day.c.trading_day))]
