"""Moves of a balance without a trade: payouts, deposits and resets by the firm, found or told by a person."""

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.tables.accounts import account_day, balance_move
from shared.domain.accounts.stage import Stage, parse_stage
from shared.domain.risk.findings import dollars
from shared.domain.risk.payouts import LEAST_PAYOUT, is_payout
from shared.errors import RefusedError
from shared.ids import new_id


def change_by_move(connection: Connection, before: AccountRow, amount: Decimal, day: date) -> dict[str, Any]:
    """Return the columns of an account that change when `amount` of its balance is no result of trading.

    What the day's fills do not explain of its result becomes smaller by it. A payout of an Express account stops its
    loss limit level at the starting balance, until the opposite amount takes it back.
    """
    unexplained = before.unexplained_balance if before.pending_balance is None else before.pending_balance
    moved = before.moved_today + amount
    is_paid = is_payout(moved, before.balance, parse_stage(before.name))
    return {
        "moved_today": moved,
        "last_paid_on": day if is_paid else _find_last_payout(connection, before, day),
        "unexplained_balance": None if unexplained is None else unexplained - amount,
        "pending_balance": None,
        "pending_runs": 0,
    }


def _find_last_payout(connection: Connection, account: AccountRow, before_day: date) -> date | None:
    """Return the newest day before another on which an Express account was paid, by its moves; None without one."""
    if parse_stage(account.name) is not Stage.EXPRESS:
        return None
    days = (
        select(balance_move.c.trading_day)
        .where(balance_move.c.account_id == account.id, balance_move.c.trading_day < before_day)
        .group_by(balance_move.c.trading_day)
        .having(func.sum(balance_move.c.amount) <= -LEAST_PAYOUT)
        .subquery()
    )
    found: date | None = connection.execute(select(func.max(days.c.trading_day))).scalar_one()
    return found


def record(
    connection: Connection, before: AccountRow, amount: Decimal, *, day: date, origin: str, values: dict[str, Any]
) -> None:
    """Record a move of the locked account `before`, with the `values` of `change_by_move`, and tell it as an event."""
    move = {"id": new_id(), "account_id": before.id, "trading_day": day, "amount": amount, "origin": origin}
    connection.execute(insert(balance_move).values(**move))
    accounts.change(connection, before.id, **values)
    accounts.record_event(connection, before.id, "balance_moved", describe(before, amount, origin))


def record_earlier(connection: Connection, before: AccountRow, amount: Decimal, *, day: date, origin: str) -> None:
    """Record a move of the locked account `before` on a trading day that has ended, whose result becomes smaller by it.

    Raise RefusedError for a day that the account does not have.
    """
    ended = (account_day.c.account_id == before.id, account_day.c.trading_day == day)
    changed = update(account_day).where(*ended).values(moved=account_day.c.moved + amount)
    if connection.execute(changed).rowcount == 0:
        raise RefusedError(
            f"account {before.id} ({before.name}) has no ended trading day {day}: `tickwork risk` shows those it has"
        )
    move = {"id": new_id(), "account_id": before.id, "trading_day": day, "amount": amount, "origin": origin}
    connection.execute(insert(balance_move).values(**move))
    today = before.trading_day
    if today is not None and parse_stage(before.name) is Stage.EXPRESS and before.last_paid_on != today:
        accounts.change(connection, before.id, last_paid_on=_find_last_payout(connection, before, today))
    cause = f"{dollars(amount)} on {day}, by hand: it is no result of that day"
    accounts.record_event(connection, before.id, "balance_moved", cause)


def describe(account: AccountRow, amount: Decimal, origin: str) -> str:
    """Return what a move means, and what the firm may have changed with it."""
    cause = "no fill explains it" if origin == "found" else "by hand"
    told = f"{dollars(amount)}, {cause}: it is no result of the day"
    if is_payout(account.moved_today + amount, account.balance, parse_stage(account.name)):
        return (
            f"{told} but a payout, after which the loss limit level is the starting balance; if it was none, "
            f"`tickwork accounts balance-move {account.id} {-amount}` takes it back"
        )
    return (
        f"{told}; if the firm has reset the account, set its mark: `tickwork accounts high-water-mark {account.id} "
        "BALANCE`"
    )


def describe_command(account_id: int) -> str:
    """Return what a person does if an amount that counts as a result was none."""
    return f"if it was a payout or a deposit, `tickwork accounts balance-move {account_id} AMOUNT`"


def list_newest(connection: Connection, account_id: int, *, limit: int) -> list[dict[str, Any]]:
    """Return the moves of an account, newest first."""
    columns = (balance_move.c.recorded_at, balance_move.c.trading_day, balance_move.c.amount, balance_move.c.origin)
    statement = select(*columns).where(balance_move.c.account_id == account_id).order_by(balance_move.c.id.desc())
    return [dict(row) for row in connection.execute(statement.limit(limit)).mappings()]
