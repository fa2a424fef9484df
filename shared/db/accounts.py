"""Trading accounts as the venue last described them, and their halts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables import account, account_snapshot


@dataclass(frozen=True, slots=True)
class AccountRow:
    """What we know of an account."""

    id: int
    name: str
    balance: Decimal
    can_trade: bool
    halted_at: datetime | None
    halt_reason: str | None
    reconciled_at: datetime | None


_COLUMNS = [account.c[name] for name in AccountRow.__dataclass_fields__]


def _row(row: Row[tuple[object, ...]]) -> AccountRow:
    return AccountRow(**row._mapping)  # noqa: SLF001  # SQLAlchemy's documented name


def every(connection: Connection) -> list[AccountRow]:
    """Return all accounts."""
    return [_row(row) for row in connection.execute(select(*_COLUMNS).order_by(account.c.id))]


def lock(connection: Connection, account_id: int) -> AccountRow | None:
    """Return the account and hold its row, so that two entries cannot both pass a limit."""
    row = connection.execute(select(*_COLUMNS).where(account.c.id == account_id).with_for_update()).one_or_none()
    return None if row is None else _row(row)


def store(
    connection: Connection,
    taken_market_at: datetime,
    *,
    account_id: int,
    name: str,
    balance: Decimal,
    can_trade: bool,
    is_simulated: bool | None,
) -> None:
    """Keep what the venue says of one account now, and a snapshot of it."""
    values = {"name": name, "balance": balance, "can_trade": can_trade, "is_simulated": is_simulated}
    statement = insert(account).values(id=account_id, **values)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["id"], set_={**values, "updated_at": func.now()})
    )
    snapshot = insert(account_snapshot).values(
        account_id=account_id, taken_market_at=taken_market_at, balance=balance, can_trade=can_trade
    )
    connection.execute(snapshot.on_conflict_do_nothing())


def forbid_all_but(connection: Connection, seen: Sequence[int]) -> None:
    """Mark accounts the venue no longer shows as not tradable."""
    connection.execute(update(account).where(account.c.id.not_in(seen)).values(can_trade=False, updated_at=func.now()))


def forget_reconciliation(connection: Connection) -> None:
    """Demand a fresh reconcile of every account before its next entry; done at each start."""
    connection.execute(update(account).values(reconciled_at=None))


def note_reconciled(connection: Connection, account_id: int) -> None:
    """Note that the account was compared with the venue just now."""
    connection.execute(update(account).where(account.c.id == account_id).values(reconciled_at=func.now()))


def halt(connection: Connection, reason: str, account_id: int | None = None) -> None:
    """Stop new entries on the account, or on all; an older halt keeps its reason."""
    statement = update(account).where(account.c.halted_at.is_(None)).values(halted_at=func.now(), halt_reason=reason)
    if account_id is not None:
        statement = statement.where(account.c.id == account_id)
    connection.execute(statement)
