"""Contracts: their facts, and which of them we track."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, case, false, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.selectable import LateralFromClause

from shared.db.tables.market_data import bar_minute, contract
from shared.db.tables.orders import orders, position
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.holidays import SpecialHours, list_special_days
from shared.domain.orders.order import Direction, OrderState

_COLUMNS = [contract.c[name] for name in Contract.__dataclass_fields__]
_GET = select(*_COLUMNS).where(contract.c.id == bindparam("contract"))
_ACTIVE = select(*_COLUMNS).where(contract.c.root == bindparam("root"), contract.c.is_active)
_BELIEVED_AFTER = timedelta(seconds=30)  # two answers of one moment may lack the same contracts
_REMEMBERED = timedelta(days=4)  # a weekend with a holiday; a contract may have expired since


# The active contract of each row's root, which the caller joins; `active_count` is 1 if there is no other.
_ACTIVE_NAMES = {name: f"active_{name}" for name in Contract.__dataclass_fields__}


def select_active_of(root: ColumnElement[Any]) -> LateralFromClause:
    """Return what an outer join on true adds to each row: an active contract of its root, and how many there are."""
    columns = [contract.c[name].label(label) for name, label in _ACTIVE_NAMES.items()]
    statement = select(*columns, func.count().over().label("active_count"))
    return statement.where(contract.c.root == root, contract.c.is_active).limit(1).lateral("active")


def pop_active(values: dict[str, Any]) -> Contract | None:
    """Remove the columns of `select_active_of` from a row; return the contract, None unless it is the only one."""
    found = {name: values.pop(label) for name, label in _ACTIVE_NAMES.items()}
    return Contract(**found) if values.pop("active_count") == 1 else None


def _contract(row: Row[tuple[object, ...]]) -> Contract:
    return Contract(**row._mapping)  # noqa: SLF001  # SQLAlchemy's documented name


# The active contracts that we track; a program that enqueues asks whether a symbol means one of them.
TRADED = select(contract.c.id).where(contract.c.is_tracked, contract.c.is_active).order_by(contract.c.id)


def store(connection: Connection, found: Sequence[Contract]) -> None:
    """Store the venue's facts about these contracts."""
    for one in found:
        values = _facts_of(one)
        statement = insert(contract).values(id=one.id, **values)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["id"], set_={**values, "absent_at": None, "updated_at": func.now()}
            )
        )


def _facts_of(one: Contract) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in Contract.__dataclass_fields__ if name != "id"}
    group = ROOTS[one.root].group
    opens, closes = assumed_calendar_of(group).regular_hours
    special = {f"{day}": _to_json(hours) for day, hours in list_special_days(group).items()}
    return {**values, "session_opens": opens, "session_closes": closes, "special_hours": special}


def _to_json(hours: SpecialHours) -> dict[str, str] | None:
    if hours.is_closed:
        return None
    given = {"opens": hours.opens, "closes": hours.closes}
    return {name: f"{at:%H:%M}" for name, at in given.items() if at is not None}


def add(connection: Connection, one: Contract) -> None:
    """Store the facts of a contract that the venue has not offered; nothing of one that is known, or at once is."""
    connection.execute(insert(contract).values(id=one.id, **_facts_of(one)).on_conflict_do_nothing())


def track_only(connection: Connection, contract_ids: Sequence[str], market_now: datetime) -> list[str]:
    """Track exactly these contracts; return the ids of those that were tracked until now and are no more."""
    changed = update(contract).where(contract.c.is_tracked != contract.c.id.in_(contract_ids))
    statement = changed.values(
        is_tracked=~contract.c.is_tracked, untracked_market_at=case((contract.c.is_tracked, market_now))
    )
    found = connection.execute(statement.returning(contract.c.id, contract.c.is_tracked))
    return sorted(row.id for row in found if not row.is_tracked)


def note_absent(connection: Connection, offered_ids: Sequence[str], today: date) -> list[Contract]:
    """Note that the venue's list lacks the other active contracts; return those that stay active for now.

    A list may be cut short: they are not active any more once a list that comes half a minute later, or more, lacks
    them too, or at once if the venue has not been asked for days before the trading day `today`.
    """
    statement = update(contract).where(contract.c.is_active, contract.c.id.not_in(offered_ids))
    lacking = statement.values(
        absent_at=func.coalesce(contract.c.absent_at, func.now()),
        is_active=func.coalesce(contract.c.absent_at > func.now() - _BELIEVED_AFTER, true())
        & func.coalesce(contract.c.active_day >= today - _REMEMBERED, false()),
    )
    return [one for one in map(_contract, connection.execute(lacking.returning(*_COLUMNS))) if one.is_active]


def has_absent(connection: Connection, within: timedelta) -> bool:
    """Whether a contract that was active has been absent from the venue's list for less than `within`."""
    is_absent = select(contract.c.id).where(contract.c.absent_at > func.now() - within)
    return bool(connection.execute(select(is_absent.exists())).scalar_one())


def list_last_active(connection: Connection, trading_day: date | None = None) -> dict[str, str]:
    """Return the id of the contract of each root that was active last, or was on a trading day.

    One that is active now comes before one that is not; of two that are alike none is returned.
    """
    newest = func.rank().over(
        partition_by=contract.c.root,
        order_by=(contract.c.active_day.desc().nulls_last(), contract.c.is_active.desc()),
    )
    was_active = contract.c.is_active | contract.c.active_day.is_not(None)
    on_day = true() if trading_day is None else contract.c.active_day == trading_day
    ranked = select(contract.c.root, contract.c.id, newest.label("rank")).where(was_active, on_day).subquery()
    statement = select(ranked.c.root, func.min(ranked.c.id).label("id")).where(ranked.c.rank == 1)
    found = connection.execute(statement.group_by(ranked.c.root).having(func.count() == 1))
    return {row.root: row.id for row in found}


def record_active_day(connection: Connection, trading_day: date) -> None:
    """Record that the active contracts are those of a trading day."""
    connection.execute(update(contract).where(contract.c.is_active).values(active_day=trading_day))


def get(connection: Connection, contract_id: str) -> Contract | None:
    """Return the contract, or None."""
    row = connection.execute(_GET, {"contract": contract_id}).one_or_none()
    return None if row is None else _contract(row)


def require(connection: Connection, contract_id: str) -> Contract:
    """Return the contract; raise LookupError if it is unknown."""
    found: Contract = require_with_columns(connection, contract_id, [])[-1]
    return found


def require_with_columns(
    connection: Connection, contract_id: str, more: Sequence[ColumnElement[Any]]
) -> tuple[Any, ...]:
    """Return the columns `more`, then the contract; if it is unknown raise LookupError and evaluate nothing."""
    found = connection.execute(select(*more, *_COLUMNS).where(contract.c.id == contract_id)).one_or_none()
    if found is None:
        raise LookupError(f"unknown contract {contract_id!r}: market_data.refresh_contracts has not stored it")
    return (*found[: len(more)], Contract(*found[len(more) :]))


def find_active(connection: Connection, root: str) -> Contract | None:
    """Return the root's active contract; None if there is none or more than one."""
    rows = connection.execute(_ACTIVE, {"root": root}).all()
    return _contract(rows[0]) if len(rows) == 1 else None


def list_of_root(connection: Connection, root: str) -> list[Contract]:
    """Return the known contracts of a root, tracked or not."""
    return [
        _contract(row)
        for row in connection.execute(select(*_COLUMNS).where(contract.c.root == root).order_by(contract.c.id))
    ]


def list_with_rows(connection: Connection) -> list[str]:
    """Return the ids of the contracts of which bars are stored that are not packed."""
    has_rows = select(bar_minute.c.start).where(bar_minute.c.contract_id == contract.c.id).exists()
    return list(connection.execute(select(contract.c.id).where(has_rows).order_by(contract.c.id)).scalars())


def list_tracked(connection: Connection) -> list[Contract]:
    """Return the contracts we track."""
    return [
        _contract(row)
        for row in connection.execute(select(*_COLUMNS).where(contract.c.is_tracked).order_by(contract.c.id))
    ]


def list_untracked_since(connection: Connection, market_at: datetime) -> list[tuple[Contract, datetime]]:
    """Return the contracts that have been tracked until after an instant of market time, each with when that ended."""
    at = contract.c.untracked_market_at
    rows = connection.execute(select(at, *_COLUMNS).where(at > market_at).order_by(contract.c.id))
    return [(Contract(*row[1:]), row[0]) for row in rows]


def list_watched(connection: Connection) -> list[Contract]:
    """Return the contracts whose prices matter: tracked ones, and those with a position or an open order."""
    held = select(position.c.contract_id).where(position.c.direction != Direction.FLAT.value)
    with_open_order = select(orders.c.contract_id).where(
        orders.c.state.in_([state.value for state in OrderState if not state.is_final])
    )
    matters = contract.c.is_tracked | contract.c.id.in_(held) | contract.c.id.in_(with_open_order)
    return [_contract(row) for row in connection.execute(select(*_COLUMNS).where(matters).order_by(contract.c.id))]


def list_tracked_roots(connection: Connection) -> list[str]:
    """Return the roots of the contracts we track."""
    return list(connection.execute(select(contract.c.root).where(contract.c.is_tracked).distinct()).scalars())
