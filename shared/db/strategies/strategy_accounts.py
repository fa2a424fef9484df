"""The accounts that trade a strategy: those a person switched on."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.tables.strategies import strategy_account


class StrategyShare(NamedTuple):
    """Whether an account trades a strategy, and the reason."""

    account: AccountRow
    trades: bool
    why: str


def list_shares(connection: Connection, strategy: str) -> list[StrategyShare]:
    """Return for every account whether it trades the strategy."""
    statement = select(strategy_account.c.account_id, strategy_account.c.is_on)
    rows = connection.execute(statement.where(strategy_account.c.strategy == strategy))
    switched = {row.account_id: row.is_on for row in rows}
    return [_to_share(one, switched) for one in accounts.list_all(connection)]


def _to_share(account: AccountRow, switched: Mapping[int, bool]) -> StrategyShare:
    if not account.can_trade:
        return StrategyShare(account, trades=False, why="the venue lets it trade nothing")
    if account.id in switched:
        is_on = switched[account.id]
        return StrategyShare(account, trades=is_on, why=f"switched {'on' if is_on else 'off'} by hand")
    return StrategyShare(account, trades=False, why="not switched on")


def list_trading(connection: Connection, strategy: str) -> list[AccountRow]:
    """Return the accounts that trade a strategy now."""
    return [one.account for one in list_shares(connection, strategy) if one.trades]


def switch(connection: Connection, strategy: str, account_id: int, *, is_on: bool) -> None:
    """Switch a strategy on or off for an account; its positions and orders stay."""
    values = {"is_on": is_on, "switched_at": func.now()}
    statement = insert(strategy_account).values(strategy=strategy, account_id=account_id, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["strategy", "account_id"], set_=values))
    accounts.record_event(connection, account_id, f"strategy_{'on' if is_on else 'off'}", f"{strategy}, by hand")
