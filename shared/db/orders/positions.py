"""Net positions, a row per account and contract: a baseline and every fill since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, any_, bindparam, case, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.orders import IDS, fill, orders, position
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import Direction, Role, Side
from shared.domain.orders.position import Baseline, Position, apply_fill

_ENTERED_WITHIN = timedelta(minutes=1)
_IN_ACCOUNTS = (
    select(position)
    .where(position.c.account_id == any_(bindparam("ids", type_=IDS)), position.c.direction != Direction.FLAT.value)
    .order_by(position.c.account_id, position.c.contract_id)
)
_ENTRY, _ENTERED = orders.alias("entry"), fill.alias("entered")
_BETWEEN = fill.alias("between")
# An entry of the same side makes a position one that was asked for, whichever of the two orders filled first, unless
# something has filled on the other side since: then that entry was of a position before.
_IS_ENTERED = (
    select(_ENTERED.c.venue_fill_id)
    .join(
        _ENTRY, (_ENTRY.c.account_id == _ENTERED.c.account_id) & (_ENTRY.c.venue_order_id == _ENTERED.c.venue_order_id)
    )
    .where(
        _ENTERED.c.account_id == position.c.account_id,
        _ENTERED.c.contract_id == position.c.contract_id,
        _ENTERED.c.side == fill.c.side,
        _ENTERED.c.filled_market_at >= fill.c.filled_market_at - _ENTERED_WITHIN,
        _ENTRY.c.role == Role.ENTRY.value,
        _ENTERED.c.filled_market_at
        >= func.coalesce(
            select(func.max(_BETWEEN.c.filled_market_at))
            .where(
                _BETWEEN.c.account_id == fill.c.account_id,
                _BETWEEN.c.contract_id == fill.c.contract_id,
                _BETWEEN.c.side != fill.c.side,
                ~_BETWEEN.c.is_voided,
                _BETWEEN.c.filled_market_at >= fill.c.filled_market_at - _ENTERED_WITHIN,
                _BETWEEN.c.filled_market_at < fill.c.filled_market_at,
            )
            .correlate(fill)
            .scalar_subquery(),
            text("'-infinity'"),
        ),
    )
    .exists()
)
_HELD = (
    select(position, case((~_IS_ENTERED, orders.c.role)).label("opened_by"))
    .outerjoin(
        fill,
        (fill.c.account_id == position.c.account_id) & (fill.c.venue_fill_id == position.c.opened_by_fill_id),
    )
    .outerjoin(orders, (orders.c.account_id == fill.c.account_id) & (orders.c.venue_order_id == fill.c.venue_order_id))
    .where(
        position.c.account_id == bindparam("account"),
        position.c.contract_id == bindparam("contract"),
        position.c.direction != Direction.FLAT.value,
    )
)
SIGNED_QUANTITY = case((position.c.direction == Direction.LONG.value, position.c.quantity), else_=-position.c.quantity)
_NOT_OPEN = {"opened_market_at": None, "opened_by_fill_id": None}
_PRICE = Decimal("0.000000001")  # the precision of the venue's averages


@dataclass(frozen=True, slots=True)
class PositionRow:
    """A position, computed from fills; `quantity` is signed, above zero when long; prices are in money."""

    account_id: int
    contract_id: str
    quantity: int
    average_price: Decimal | None
    opened_market_at: datetime | None


@dataclass(frozen=True, slots=True)
class HeldPosition:
    """A position, and the role of the order of ours whose fill opened it.

    None if that is none of our rows, or if an entry of the same side has filled since a minute before.
    """

    row: PositionRow
    opened_by: Role | None


def lock(connection: Connection, account_id: int, contract_id: str) -> bool:
    """Lock the position's row, so that concurrent fills are all counted; return whether the row is new."""
    key = {"account_id": account_id, "contract_id": contract_id}
    flat = insert(position).values(**key, direction=Direction.FLAT.value, quantity=0)
    is_new = connection.execute(flat.on_conflict_do_nothing()).rowcount == 1
    connection.execute(
        select(position.c.quantity).where(_is_of(account_id, contract_id)).with_for_update(key_share=True)
    )
    return is_new


def recompute(connection: Connection, account_id: int, contract: Contract) -> int:
    """Compute the row, which the caller has locked, from its baseline and fills; return the signed quantity."""
    baseline = connection.execute(
        select(position.c.baseline_quantity, position.c.baseline_price, position.c.baseline_until_fill_id,
               position.c.baseline_until_market_at, position.c.opened_market_at).where(_is_of(account_id, contract.id))
    ).one()  # fmt: skip
    now = Position(baseline.baseline_quantity, _in_ticks(baseline.baseline_price, contract))
    opened = baseline.opened_market_at if now.quantity else None
    opened_by: int | None = None
    statement = select(fill.c.side, fill.c.quantity, fill.c.price, fill.c.filled_market_at, fill.c.venue_fill_id).where(
        fill.c.account_id == account_id,
        fill.c.contract_id == contract.id,
        fill.c.venue_fill_id > baseline.baseline_until_fill_id,
        fill.c.is_voided.is_(False),
    )
    if baseline.baseline_until_market_at is not None:
        statement = statement.where(fill.c.filled_market_at > baseline.baseline_until_market_at)
    for row in connection.execute(statement.order_by(fill.c.filled_market_at, fill.c.venue_fill_id)):
        before = now
        now, _ = apply_fill(now, Side(row.side), row.quantity, int(row.price / contract.tick_size))
        if now.quantity * before.quantity <= 0:
            opened, opened_by = row.filled_market_at, row.venue_fill_id
    opening = {"opened_market_at": opened, "opened_by_fill_id": opened_by} if now.quantity else _NOT_OPEN
    _write(connection, account_id, contract, now, opening)
    return now.quantity


def set_baseline(
    connection: Connection,
    account_id: int,
    contract: Contract,
    *,
    quantity: int,
    price: Decimal | None,
    opened_market_at: datetime | None,
    until_market_at: datetime,
) -> None:
    """Set the baseline to the venue's position at `until_market_at`; later fills add to it.

    No fill that is stored by now counts any more, nor does one from before that is stored later.
    """
    connection.execute(
        update(position)
        .where(_is_of(account_id, contract.id))
        .values(
            baseline_quantity=quantity,
            baseline_price=price,
            baseline_until_fill_id=_find_newest_fill_id(connection, account_id, contract.id),
            baseline_until_market_at=until_market_at,
            opened_market_at=opened_market_at,
        )
    )
    recompute(connection, account_id, contract)


def find_baseline(connection: Connection, account_id: int, contract_id: str) -> Baseline | None:
    """Return the last baseline of the position; None if its fills alone have always made it."""
    statement = select(position.c.baseline_quantity, position.c.baseline_until_market_at).where(
        _is_of(account_id, contract_id), position.c.baseline_until_market_at.is_not(None)
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else Baseline(*row)


def _find_newest_fill_id(connection: Connection, account_id: int, contract_id: str) -> int:
    statement = select(func.max(fill.c.venue_fill_id)).where(
        fill.c.account_id == account_id, fill.c.contract_id == contract_id
    )
    return connection.execute(statement).scalar_one() or 0


def list_of_account(connection: Connection, account_id: int) -> list[PositionRow]:
    """Return the account's positions that are not flat."""
    return list_in_accounts(connection, [account_id])


def list_in_accounts(connection: Connection, account_ids: Sequence[int]) -> list[PositionRow]:
    """Return the positions of these accounts that are not flat."""
    return [_to_row(row) for row in connection.execute(_IN_ACCOUNTS, {"ids": list(account_ids)})]


def find_held(connection: Connection, account_id: int, contract_id: str) -> HeldPosition | None:
    """Return the account's position in the contract, or None if it is flat."""
    row = connection.execute(_HELD, {"account": account_id, "contract": contract_id}).one_or_none()
    if row is None:
        return None
    return HeldPosition(_to_row(row), None if row.opened_by is None else Role(row.opened_by))


def _to_row(row: Row[Any]) -> PositionRow:
    quantity = row.quantity if row.direction == Direction.LONG.value else -row.quantity
    return PositionRow(row.account_id, row.contract_id, quantity, row.average_price, row.opened_market_at)


def quantity_of(connection: Connection, account_id: int, contract_id: str) -> int:
    """Return the account's signed quantity of the contract, above zero when long."""
    found = [row for row in list_of_account(connection, account_id) if row.contract_id == contract_id]
    return found[0].quantity if found else 0


def direction_of(connection: Connection, account_id: int, contract_id: str) -> Direction:
    """Return the direction of the account's position in the contract."""
    return Position(quantity_of(connection, account_id, contract_id)).direction


def _write(
    connection: Connection,
    account_id: int,
    contract: Contract,
    now: Position,
    opening: Mapping[str, object],
) -> None:
    numerator, denominator = now.average_price.as_integer_ratio()
    average = (numerator * contract.tick_size / denominator).quantize(_PRICE).normalize() if now.quantity else None
    values = {
        "direction": now.direction.value,
        "quantity": abs(now.quantity),
        "average_price": average,
        **opening,
        "updated_at": func.now(),
    }
    connection.execute(update(position).where(_is_of(account_id, contract.id)).values(**values))


def _in_ticks(price: Decimal | None, contract: Contract) -> Fraction:
    return Fraction(0) if price is None else Fraction(price) / Fraction(contract.tick_size)


def _is_of(account_id: int, contract_id: str) -> ColumnElement[bool]:
    return (position.c.account_id == account_id) & (position.c.contract_id == contract_id)
