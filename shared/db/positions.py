"""Net positions as the venue last showed them, a row per account and contract."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables import position
from shared.domain.order import Direction


def store(
    connection: Connection,
    *,
    account_id: int,
    contract_id: str,
    direction: Direction,
    quantity: int,
    average_price: Decimal,
    opened_market_at: datetime,
) -> None:
    """Keep one open position."""
    values = {
        "direction": direction.value,
        "quantity": quantity,
        "average_price": average_price,
        "opened_market_at": opened_market_at,
    }
    statement = insert(position).values(account_id=account_id, contract_id=contract_id, **values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["account_id", "contract_id"], set_={**values, "updated_at": func.now()}
        )
    )


def flat_all_but(connection: Connection, account_id: int, open_contracts: Sequence[str]) -> None:
    """Mark every other position of the account as flat."""
    statement = update(position).where(
        position.c.account_id == account_id,
        position.c.contract_id.not_in(open_contracts),
        position.c.direction != Direction.FLAT.value,
    )
    connection.execute(
        statement.values(
            direction=Direction.FLAT.value,
            quantity=0,
            average_price=None,
            opened_market_at=None,
            updated_at=func.now(),
        )
    )


def direction_of(connection: Connection, account_id: int, contract_id: str) -> Direction:
    """Return which way the account lies in the contract."""
    found = connection.execute(
        select(position.c.direction).where(position.c.account_id == account_id, position.c.contract_id == contract_id)
    ).scalar_one_or_none()
    return Direction(found) if found else Direction.FLAT
