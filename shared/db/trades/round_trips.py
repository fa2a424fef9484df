"""Round trips: booked from fills, idempotent by fill id, and booked again when a fill comes late or is voided."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, select, tuple_, update
from sqlalchemy import text as sql

from shared.db.tables.alerts import signal
from shared.db.tables.market_data import contract
from shared.db.tables.notes import trade_note
from shared.db.tables.orders import fill, orders
from shared.db.tables.trades import booking_due, round_trip
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.coverage import Span
from shared.domain.orders.order import Direction, Side
from shared.domain.trades.round_trip import Fill, Lot, RoundTrip
from shared.domain.trades.statistics import UNKNOWN_LABEL, Excursions, TripResult

_label = func.coalesce(round_trip.c.strategy, round_trip.c.origin, UNKNOWN_LABEL)
_KEY = [round_trip.c[name] for name in ("closed_market_at", *(key.name for key in round_trip.primary_key))]
_NEWEST_FIRST = [column.desc() for column in _KEY]  # one by one: no index sorts rows of columns
_RESULT = [round_trip.c[name] for name in TripResult.__dataclass_fields__]


class Key(NamedTuple):
    """The key of a round trip, at which the next page of a listing begins."""

    closed_market_at: datetime
    account_id: int
    contract_id: str
    opening_fill_id: int
    part: int


@dataclass(frozen=True, slots=True)
class RoundTripFilter:
    """A filter of round trips: None means any. `strategy` may be an origin too, for orders of no strategy.

    They closed at `since_market_at` or later, and before `until_market_at`.
    """

    account_id: int | None = None
    contract_ids: tuple[str, ...] | None = None
    strategy: str | None = None
    tag: str | None = None
    since_market_at: datetime | None = None
    until_market_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DueContract:
    """A contract of an account with changed fills, the earliest of them at `since_market_at`."""

    account_id: int
    contract_id: str
    since_market_at: datetime


class FlatPoint(NamedTuple):
    """The time and id of a fill that opened a round trip: just before it the account was flat in the contract."""

    market_at: datetime
    fill_id: int


@dataclass(frozen=True, slots=True)
class UnmeasuredTrip:
    """A round trip without excursions whose bars are all stored by now."""

    key: Key
    direction: Direction
    opened_market_at: datetime
    lots: tuple[Lot, ...]
    booked_at: datetime


def try_lock_booking(connection: Connection) -> bool:
    """Take the lock for booking until the transaction ends; False if another transaction holds it."""
    statement = sql("SELECT pg_try_advisory_xact_lock(hashtext('tickwork round trips'))")
    return bool(connection.execute(statement).scalar_one())


def lock_booking(connection: Connection) -> None:
    """Take the lock for booking until the transaction ends, once another transaction has left it."""
    connection.execute(sql("SELECT pg_advisory_xact_lock(hashtext('tickwork round trips'))"))


def take_due(connection: Connection) -> list[DueContract]:
    """Return the changed contracts that are to be booked, and delete their marks in this transaction."""
    columns = (booking_due.c.account_id, booking_due.c.contract_id, booking_due.c.filled_market_at)
    taken = delete(booking_due).returning(*columns).cte("taken")
    earliest = func.min(taken.c.filled_market_at)
    statement = select(taken.c.account_id, taken.c.contract_id, earliest).group_by(
        taken.c.account_id, taken.c.contract_id
    )
    return sorted(
        (DueContract(*row) for row in connection.execute(statement)), key=lambda due: (due.account_id, due.contract_id)
    )


def find_last_flat(connection: Connection, due: DueContract) -> FlatPoint | None:
    """Return the newest point before the change at which the account was flat; None means its beginning.

    A reversal is not such a point. Round trips that began before the change are still right up to their beginning.
    """
    opening = (round_trip.c.opened_market_at, round_trip.c.opening_fill_id)
    statement = select(*opening).where(
        *_is_of(due), round_trip.c.part == 0, round_trip.c.opened_market_at < due.since_market_at
    )
    row = connection.execute(statement.order_by(*(column.desc() for column in opening)).limit(1)).one_or_none()
    return None if row is None else FlatPoint(*row)


def list_fills_since(connection: Connection, due: DueContract, flat: FlatPoint | None) -> list[Fill]:
    """Return the fills of the account and contract from `flat` on, with the strategy or origin of their orders."""
    parent, parents_signal = orders.alias(), signal.alias()
    statement = (
        select(
            fill.c.venue_fill_id.label("id"),
            *(fill.c[name] for name in Fill.__dataclass_fields__ if name in fill.c),
            func.coalesce(signal.c.strategy, parents_signal.c.strategy).label("strategy"),
            orders.c.origin,
        )
        .select_from(fill)
        .outerjoin(orders, orders.c.id == fill.c.order_id)
        .outerjoin(signal, signal.c.id == orders.c.signal_id)
        .outerjoin(parent, parent.c.id == orders.c.parent_id)
        .outerjoin(parents_signal, parents_signal.c.id == parent.c.signal_id)
        .where(fill.c.account_id == due.account_id, fill.c.contract_id == due.contract_id)
        .order_by(fill.c.filled_market_at, fill.c.venue_fill_id)
    )
    if flat is not None:
        statement = statement.where(tuple_(fill.c.filled_market_at, fill.c.venue_fill_id) >= tuple_(*flat))
    found = connection.execute(statement).mappings()
    return [Fill(**{**row, "side": Side(row["side"])}) for row in found]


def replace_since(connection: Connection, due: DueContract, flat: FlatPoint | None, trips: Sequence[RoundTrip]) -> None:
    """Replace every round trip of the account and contract that began at `flat` or later with `trips`."""
    statement = delete(round_trip).where(*_is_of(due))
    if flat is not None:
        opening = tuple_(round_trip.c.opened_market_at, round_trip.c.opening_fill_id)
        statement = statement.where(opening >= tuple_(*flat))
    connection.execute(statement)
    key = {"account_id": due.account_id, "contract_id": due.contract_id}
    rows = [asdict(trip) | key | {"lots": msgspec.to_builtins(trip.lots)} for trip in trips]
    if rows:
        connection.execute(insert(round_trip), rows)


def list_unmeasured(connection: Connection, limit: int) -> list[UnmeasuredTrip]:
    """Return round trips whose excursions can be computed now, newest first."""
    minute = sql("'minute'")
    span = func.tstzrange(
        func.date_trunc(minute, round_trip.c.opened_market_at),
        func.date_trunc(minute, round_trip.c.closed_market_at) + sql("interval '1 minute'"),
    )
    columns = (*(round_trip.c[name] for name in Key._fields), round_trip.c.direction, round_trip.c.opened_market_at)
    statement = (
        select(*columns, round_trip.c.lots, round_trip.c.booked_at)
        .join(contract, contract.c.id == round_trip.c.contract_id)
        .where(round_trip.c.mae.is_(None), ~round_trip.c.has_unknown_entry, contract.c.coverage.op("@>")(span))
        .order_by(*_NEWEST_FIRST)
        .limit(limit)
    )
    return [
        UnmeasuredTrip(
            Key(*row[:5]),
            Direction(row.direction),
            row.opened_market_at,
            msgspec.convert(row.lots, tuple[Lot, ...]),
            row.booked_at,
        )
        for row in connection.execute(statement)
    ]


def record_excursions(connection: Connection, trip: UnmeasuredTrip, found: Excursions) -> None:
    """Store how far the price went for and against a round trip, unless it was booked anew since it was read."""
    where = [round_trip.c[name] == value for name, value in trip.key._asdict().items()]
    where.append(round_trip.c.booked_at == trip.booked_at)
    connection.execute(update(round_trip).where(*where).values(mae=found.mae, mfe=found.mfe))


def forget_excursions(connection: Connection, contract_id: str, revised: Span) -> None:
    """Let the excursions be computed again of the round trips that were open in one of the minutes of `revised`.

    They begin at `revised.start`, and the last one at `revised.end`.
    """
    connection.execute(
        update(round_trip)
        .where(
            round_trip.c.contract_id == contract_id,
            round_trip.c.closed_market_at >= revised.start,
            round_trip.c.opened_market_at < revised.end + MINUTE,
        )
        .values(mae=None, mfe=None)
    )


def list_page(
    connection: Connection, wanted: RoundTripFilter, *, limit: int, before: Key | None = None
) -> list[dict[str, Any]]:
    """Return round trips, newest first; `before` is the last one of the previous page."""
    statement = select(round_trip).where(*_conditions_of(wanted)).order_by(*_NEWEST_FIRST).limit(limit)
    if before is not None:
        statement = statement.where(tuple_(*_KEY) < tuple_(*before))
    return [dict(row) for row in connection.execute(statement).mappings()]


def list_results(connection: Connection, wanted: RoundTripFilter) -> list[TripResult]:
    """Return the results of the round trips that pass the filter, for statistics, oldest first."""
    statement = select(*_RESULT).where(*_conditions_of(wanted)).order_by(*_KEY)
    return [TripResult(*row) for row in connection.execute(statement)]


def count_due(connection: Connection, account_id: int) -> int:
    """Return how many contracts of the account have fills that are not booked yet."""
    contracts_due = select(func.count(func.distinct(booking_due.c.contract_id)))
    return int(connection.execute(contracts_due.where(booking_due.c.account_id == account_id)).scalar_one())


def _is_of(due: DueContract) -> tuple[ColumnElement[bool], ...]:
    return round_trip.c.account_id == due.account_id, round_trip.c.contract_id == due.contract_id


def _conditions_of(wanted: RoundTripFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.account_id is not None:
        conditions.append(round_trip.c.account_id == wanted.account_id)
    if wanted.contract_ids is not None:
        conditions.append(round_trip.c.contract_id.in_(wanted.contract_ids))
    if wanted.strategy is not None:
        conditions.append(_label == wanted.strategy)
    if wanted.tag is not None:
        same = [trade_note.c[key.name] == round_trip.c[key.name] for key in round_trip.primary_key]
        conditions.append(exists().where(*same, trade_note.c.tags.contains([wanted.tag])))
    if wanted.since_market_at is not None:
        conditions.append(round_trip.c.closed_market_at >= wanted.since_market_at)
    if wanted.until_market_at is not None:
        conditions.append(round_trip.c.closed_market_at < wanted.until_market_at)
    return conditions
