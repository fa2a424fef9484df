"""The venue's reports of accounts: their balances, and the trading days that end between two reports."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select, true, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.accounts import accounts
from shared.db.accounts.accounts import COLUMNS, AccountRow, to_account
from shared.db.tables.accounts import account, account_day, account_snapshot
from shared.domain.accounts.stage import parse_stage
from shared.domain.market_data.calendar import trading_day_at
from shared.domain.risk.account_risk import AccountRisk
from shared.domain.risk.next_day import start_next_day
from shared.domain.risk.rule_book import first_preset, initial_high_water_mark


def store(
    connection: Connection,
    taken_market_at: datetime,
    *,
    account_id: int,
    name: str,
    balance: Decimal,
    can_trade: bool,
    is_simulated: bool | None,
    reported_at: datetime,
) -> None:
    """Store the venue's report of one account, a snapshot of it, and the trading day that ended since the last report.

    On first sight the balance at which the day opened is not known: see `record_opening`.
    `reported_at` is when the venue reported it (a balance has no time of its own); an older report is ignored.
    """
    before = accounts.lock(connection, account_id)
    if before is not None and before.reported_at is not None and before.reported_at > reported_at:
        return
    today = trading_day_at(taken_market_at)
    values: dict[str, Any] = {"name": name, "balance": balance, "can_trade": can_trade, "is_simulated": is_simulated}
    values["reported_at"] = reported_at
    if before is not None and before.balance != balance and before.pending_runs == 0:
        values["unsettled_since_at"] = before.reported_at
    if before is None or before.trading_day is None:
        values["trading_day"] = today
    elif before.trading_day < today:
        values |= _start_day(connection, before, before.trading_day, today, balance)
    statement = insert(account).values(id=account_id, **values)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["id"], set_={**values, "updated_at": func.now()})
    )
    snapshot = insert(account_snapshot).values(
        account_id=account_id, taken_market_at=taken_market_at, balance=balance, can_trade=can_trade
    )
    connection.execute(snapshot.on_conflict_do_nothing())


def _start_day(
    connection: Connection, before: AccountRow, ended: date, today: date, balance: Decimal
) -> dict[str, Any]:
    """Store the trading day that ended; return the columns of the new day, by the rule of `start_next_day`.

    A fall of the balance that was not settled yet, as a payout at the end of the day, is left to the new day to settle.
    """
    opening, unsettled = before.day_opening_balance, before.unsettled_fall
    if opening is None:
        return {"trading_day": today, **_values_of_first_opening(before.name, max(before.balance, balance))}
    day = insert(account_day).values(
        account_id=before.id,
        trading_day=ended,
        opening_balance=opening,
        closing_balance=before.balance - unsettled,
        moved=before.moved_today,
    )
    connection.execute(day.on_conflict_do_nothing())
    risk = start_next_day(
        AccountRisk(
            balance=before.balance,
            day_opening_balance=opening,
            moved_today=before.moved_today,
            high_water_mark=before.high_water_mark,
        ),
        balance,
        ended=ended,
        today=today,
        stage=parse_stage(before.name),
        unsettled=unsettled,
    )
    return {
        "trading_day": today,
        "day_opening_balance": risk.day_opening_balance,
        "moved_today": risk.moved_today,
        "high_water_mark": risk.high_water_mark,
        # A balance that fell since the last report fell unseen: the watch finds out by what. After a rise, which is in
        # the opening balance, fills of the new day may already be in it.
        "unexplained_balance": Decimal(0) if balance <= before.balance - unsettled else None,
        "pending_balance": None,
        "pending_runs": 0,
    }


def list_without_opening(connection: Connection) -> list[AccountRow]:
    """Return the accounts that were first seen today and whose opening balance is not known yet."""
    statement = select(*COLUMNS).where(account.c.day_opening_balance.is_(None)).order_by(account.c.id)
    return [to_account(row) for row in connection.execute(statement)]


def record_opening(connection: Connection, before: AccountRow, opening: Decimal) -> None:
    """Record the opening balance of an account that has none, and what follows from it: high-water mark and preset.

    It is computed from `before`; if its balance has changed or its day has ended since, nothing is recorded.
    """
    unchanged = (
        account.c.id == before.id,
        account.c.balance == before.balance,
        account.c.trading_day == before.trading_day,
    )
    values = _values_of_first_opening(before.name, opening)
    connection.execute(
        update(account)
        .where(*unchanged, account.c.day_opening_balance.is_(None))
        .values(**values, updated_at=func.now())
    )


def _values_of_first_opening(name: str, opening: Decimal) -> dict[str, Any]:
    return {
        "day_opening_balance": opening,
        "high_water_mark": initial_high_water_mark(name, opening),
        "first_preset": first_preset(name, opening),
    }


def list_balances(connection: Connection, limit: int) -> dict[int, list[Decimal]]:
    """Return the newest reported balances of each account that has any, at most `limit` of each, oldest first."""
    of_account = select(account_snapshot.c.balance, account_snapshot.c.taken_market_at)
    of_account = of_account.where(account_snapshot.c.account_id == account.c.id)
    newest = of_account.order_by(account_snapshot.c.taken_market_at.desc()).limit(limit).lateral("newest")
    statement = select(account.c.id, newest.c.balance).select_from(account.join(newest, true()))
    found: dict[int, list[Decimal]] = defaultdict(list)
    for account_id, balance in connection.execute(statement.order_by(account.c.id, newest.c.taken_market_at)):
        found[account_id].append(balance)
    return dict(found)


def list_days(connection: Connection, account_id: int) -> list[tuple[date, Decimal]]:
    """Return the trading days that have ended, oldest first, each with its result in dollars."""
    result = account_day.c.closing_balance - account_day.c.opening_balance - account_day.c.moved
    statement = select(account_day.c.trading_day, result).where(account_day.c.account_id == account_id)
    return [(day, change) for day, change in connection.execute(statement.order_by(account_day.c.trading_day))]


def mark_unlisted(connection: Connection, seen: Sequence[int]) -> None:
    """Mark the accounts that the venue no longer lists as not tradable."""
    connection.execute(update(account).where(account.c.id.not_in(seen)).values(can_trade=False, updated_at=func.now()))
