"""Balances as the venue reports them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from shared.db.accounts import account_reports, accounts

MONDAY = datetime(2026, 3, 9, 15, 0, tzinfo=UTC)  # 10:00 in Chicago
DAY = timedelta(days=1)


def report_balance(
    connection: Connection, at: datetime, balance: str, name: str = "50KTC-V2-1", account_id: int = 1
) -> accounts.AccountRow:
    """Store a balance as the venue reports it, and return the account's row; no fill has moved the first one."""
    account_reports.store(
        connection,
        at,
        account_id=account_id,
        name=name,
        balance=Decimal(balance),
        can_trade=True,
        is_simulated=True,
        reported_at=at,
    )
    for without in account_reports.list_without_opening(connection):
        account_reports.record_opening(connection, without, without.balance)
    row = accounts.get(connection, account_id)
    assert row is not None
    return row
