"""Orders: a row before the call to the venue, updated until the order is final."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Connection, Row, Text, and_, any_, bindparam, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.alerts import signals
from shared.db.alerts.signals import NewSignal
from shared.db.id_part import has_id_part
from shared.db.tables.accounts import installation
from shared.db.tables.orders import orders
from shared.domain.accounts.installation import make_tag
from shared.domain.orders.order import NEVER_SENT, OrderState, OrderType, Origin, Role, Side

OPEN = [state.value for state in OrderState if not state.is_final]
# Perhaps sent, and never found at the venue; if it is found late, it is an order of ours again.
IS_GIVEN_UP = and_(
    orders.c.state == OrderState.EXPIRED.value,
    orders.c.in_doubt_at.is_not(None),
    orders.c.venue_order_id.is_(None),
)


@dataclass(frozen=True, slots=True)
class OrderRow:
    """A row of the table `orders`."""

    id: UUID
    account_id: int
    contract_id: str
    client_order_id: str | None
    venue_order_id: int | None
    parent_id: UUID | None
    origin: Origin
    role: Role
    side: Side
    type: OrderType
    quantity: int
    stop_loss_ticks: int | None
    take_profit_ticks: int | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail_price: Decimal | None
    breakeven_ticks: int | None
    trail_ticks: int | None
    target_position: int | None
    state: OrderState
    filled_quantity: int
    average_fill_price: Decimal | None
    correlation_id: UUID
    expires_at: datetime | None
    created_at: datetime
    submitted_at: datetime | None
    submitted_market_at: datetime | None
    in_doubt_at: datetime | None  # since when it may be at the venue, whatever state it has by now


COLUMNS = [orders.c[name] for name in OrderRow.__dataclass_fields__]
# Built once: these statements run with every execution report.
_GET = select(*COLUMNS).where(orders.c.id == bindparam("order"))
_OF_ACCOUNT = select(*COLUMNS).where(orders.c.account_id == bindparam("account"))
_OPEN_OF_ACCOUNT = _OF_ACCOUNT.where(orders.c.state.in_(OPEN)).order_by(orders.c.id)
_OPEN_IN_CONTRACT = _OPEN_OF_ACCOUNT.where(orders.c.contract_id == bindparam("contract"))
_OF_TAGS = _OF_ACCOUNT.where(orders.c.client_order_id == any_(bindparam("tags", type_=ARRAY(Text))))
_NEW = tuple(column.name for column in orders.c if column.server_default is None)
# The tag names the installation as it is now: a person who takes an account over from a copy gives this one a new id.
_TAG = func.format(bindparam("new_client_order_id", type_=Text), select(installation.c.id).scalar_subquery())
_CREATE = (
    insert(orders)
    .values({name: bindparam(f"new_{name}", type_=orders.c[name].type) for name in _NEW} | {"client_order_id": _TAG})
    .returning(*COLUMNS)
)
_CREATE_WITH_SIGNAL = _CREATE.add_cte(signals.ADD.cte("along"))
_ENUMS = {"origin": Origin, "role": Role, "side": Side, "type": OrderType, "state": OrderState}


def to_row(row: Row[tuple[object, ...]]) -> OrderRow:
    """Return an order of a row with COLUMNS, and perhaps others."""
    found = row._mapping  # noqa: SLF001  # SQLAlchemy's documented name
    values: dict[str, Any] = {name: found[name] for name in OrderRow.__dataclass_fields__}
    return OrderRow(**values | {name: enum(values[name]) for name, enum in _ENUMS.items()})


def create(
    connection: Connection,
    *,
    order_id: UUID,
    account_id: int,
    contract_id: str,
    origin: Origin,
    role: Role,
    side: Side,
    quantity: int,
    correlation_id: UUID,
    type_: OrderType = OrderType.MARKET,
    state: OrderState = OrderState.CREATED,
    along: NewSignal | None = None,
    **more: object,
) -> OrderRow:
    """Insert an order and return it; nothing is sent yet. `more` are columns.

    `state` is DENIED if the pre-trade check denied it, SHADOW in shadow mode, and SUBMITTING if the caller sends it
    right after the commit. `along` is the signal of the order, inserted in the same round trip.
    """
    columns = more | {
        "id": order_id,
        "account_id": account_id,
        "contract_id": contract_id,
        "client_order_id": None if state in NEVER_SENT else make_tag("%s", order_id, role),  # _TAG
        "origin": origin,
        "role": role,
        "side": side,
        "type": type_,
        "quantity": quantity,
        "state": state,
        "correlation_id": correlation_id,
    }
    assert columns.keys() <= set(_NEW), columns.keys() - set(_NEW)  # noqa: S101  # a mistake of the caller
    values = {f"new_{name}": columns.get(name) for name in _NEW}
    if along is None:
        return to_row(connection.execute(_CREATE, values).one())
    return to_row(connection.execute(_CREATE_WITH_SIGNAL, values | {"new_signal_id": along.id} | along.values()).one())


def get(connection: Connection, order_id: UUID) -> OrderRow | None:
    """Return the order, or None if there is none."""
    row = connection.execute(_GET, {"order": order_id}).one_or_none()
    return None if row is None else to_row(row)


def find_by_id_part(connection: Connection, digits: str) -> list[OrderRow]:
    """Return up to three orders whose id begins or ends with these hexadecimal digits, newest first."""
    statement = select(*COLUMNS).where(has_id_part(orders.c.id, digits))
    return [to_row(row) for row in connection.execute(statement.order_by(orders.c.id.desc()).limit(3))]


def set_trail_ticks(connection: Connection, order_id: UUID, trail_ticks: int | None) -> None:
    """Make the stop of an entry trail this many ticks behind the best price; None ends trailing."""
    statement = update(orders).where(orders.c.id == order_id)
    connection.execute(statement.values(trail_ticks=trail_ticks, updated_at=func.now()))


def change_state(
    connection: Connection, order_id: UUID, sources: Collection[OrderState], target: OrderState, **values: object
) -> bool:
    """Set the order's state if it is one of `sources`; False means that another transaction changed it first.

    `sources` must be states from which `target` can be reached: see TRANSITIONS. A reason is of one state: without
    a new one it is cleared.
    """
    assert all(source.may_become(target) or source is target for source in sources)  # noqa: S101  # a mistake of the caller
    values = {"reason": None} | values
    if target is OrderState.IN_DOUBT:
        values |= {"in_doubt_at": func.coalesce(orders.c.in_doubt_at, func.now())}
    statement = update(orders).where(orders.c.id == order_id, orders.c.state.in_([state.value for state in sources]))
    done = connection.execute(statement.values(state=target.value, updated_at=func.now(), **values))
    return done.rowcount == 1


def list_open(connection: Connection, account_id: int) -> list[OrderRow]:
    """Return the account's orders that are not final, oldest first."""
    return [to_row(row) for row in connection.execute(_OPEN_OF_ACCOUNT, {"account": account_id})]


def list_open_in_contract(connection: Connection, account_id: int, contract_id: str) -> list[OrderRow]:
    """Return the account's orders in one contract that are not final, oldest first."""
    values = {"account": account_id, "contract": contract_id}
    return [to_row(row) for row in connection.execute(_OPEN_IN_CONTRACT, values)]


def has_moved_since(
    connection: Connection, account_id: int, contract_id: str, since_market_at: datetime, since: datetime
) -> bool:
    """Whether an order of the contract was submitted or changed since `since_market_at`, in machine time `since`.

    A fill need not move the venue's timestamp of its order, so an order that was known before and whose row changed
    since counts too.
    """
    statement = select(orders.c.id).where(
        orders.c.account_id == account_id,
        orders.c.contract_id == contract_id,
        (func.greatest(orders.c.submitted_market_at, orders.c.changed_market_at) >= since_market_at)
        | ((orders.c.created_at < since) & (orders.c.updated_at >= since)),
    )
    return connection.execute(statement.limit(1)).first() is not None


_CHANGES_FOR = timedelta(days=1)  # an older order changes only while it is open


def version_of(connection: Connection, account_id: int, contract_id: str) -> tuple[object, ...]:
    """Return a value that differs once an order of ours in the contract was created or changed, or has filled."""
    totals = select(func.count(), func.sum(orders.c.filled_quantity)).where(
        orders.c.account_id == account_id,
        orders.c.contract_id == contract_id,
        orders.c.created_at >= func.now() - _CHANGES_FOR,
    )
    return (*connection.execute(totals).one(), *list_open_in_contract(connection, account_id, contract_id))


def find_newest_stop_of_ours(
    connection: Connection, account_id: int, contract_id: str, since: datetime
) -> OrderRow | None:
    """Return the newest stop that the protector created in the contract since `since`, or None."""
    statement = select(*COLUMNS).where(
        orders.c.account_id == account_id,
        orders.c.contract_id == contract_id,
        orders.c.origin == Origin.PROTECTOR.value,
        orders.c.role == Role.STOP_LOSS.value,
        orders.c.created_at >= since,
        or_(orders.c.state != OrderState.CANCELLED.value, orders.c.venue_order_id.is_not(None)),
    )
    row = connection.execute(statement.order_by(orders.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else to_row(row)


def list_given_up_since(connection: Connection, account_id: int, since: datetime) -> list[OrderRow]:
    """Return the orders since `since` that were perhaps sent, never found at the venue and given up, oldest first."""
    statement = select(*COLUMNS).where(orders.c.account_id == account_id, orders.c.created_at >= since, IS_GIVEN_UP)
    return [to_row(row) for row in connection.execute(statement.order_by(orders.c.id))]


def cancel_created(
    connection: Connection,
    account_id: int,
    contract_id: str | None,
    reason: str,
    role: Role | None = None,
    *,
    only: Collection[UUID] | None = None,
) -> int:
    """End the account's orders that are not to be sent, of one contract and role or of all, or `only` of these ids.

    Return how many.

    One that was never sent becomes CANCELLED, one that was in doubt EXPIRED: it may be at the venue.
    """
    statement = update(orders).where(orders.c.account_id == account_id, orders.c.state == OrderState.CREATED.value)
    if contract_id is not None:
        statement = statement.where(orders.c.contract_id == contract_id)
    if role is not None:
        statement = statement.where(orders.c.role == role.value)
    if only is not None:
        statement = statement.where(orders.c.id.in_(only))
    was_in_doubt = (orders.c.in_doubt_at.is_not(None), OrderState.EXPIRED.value)
    values = {"state": case(was_in_doubt, else_=OrderState.CANCELLED.value), "reason": reason, "updated_at": func.now()}
    return connection.execute(statement.values(**values)).rowcount


def count_exited(connection: Connection, account_id: int, contract_id: str, correlation_id: UUID) -> int:
    """Return how many contracts the exits of an alert on an account have closed."""
    statement = select(func.coalesce(func.sum(orders.c.filled_quantity), 0)).where(
        orders.c.correlation_id == correlation_id,
        orders.c.account_id == account_id,
        orders.c.contract_id == contract_id,
        orders.c.role == Role.EXIT.value,
    )
    return int(connection.execute(statement).scalar_one())


def find_exit(connection: Connection, account_id: int, contract_id: str, correlation_id: UUID) -> UUID | None:
    """Return the newest exit that an entry has caused on an account, one that has filled first; None without one."""
    statement = select(orders.c.id).where(
        orders.c.correlation_id == correlation_id,
        orders.c.account_id == account_id,
        orders.c.contract_id == contract_id,
        orders.c.role == Role.EXIT.value,
    )
    newest = statement.order_by((orders.c.filled_quantity > 0).desc(), orders.c.id.desc())
    return connection.execute(newest.limit(1)).scalar_one_or_none()


def find_by_tags(connection: Connection, account_id: int, tags: Collection[str]) -> dict[str, OrderRow]:
    """Return the orders with these tags, by tag."""
    found = connection.execute(_OF_TAGS, {"account": account_id, "tags": list(tags)}) if tags else ()
    return {row.client_order_id or "": row for row in map(to_row, found)}


def count_working_legs(connection: Connection, parent_id: UUID) -> int:
    """Return how many legs of an entry's bracket are or were at work, that is, not SUSPENDED."""
    statement = select(func.count()).where(orders.c.parent_id == parent_id, orders.c.state != OrderState.SUSPENDED)
    return connection.execute(statement.select_from(orders)).scalar_one()


def record_venue_order_id(connection: Connection, order_id: UUID, venue_order_id: int) -> None:
    """Record the venue's id of an order that it rejected, unless another row has that id."""
    other = orders.alias()
    held = select(other.c.id).where(other.c.account_id == orders.c.account_id, other.c.venue_order_id == venue_order_id)
    statement = update(orders).where(orders.c.id == order_id, ~held.exists())
    connection.execute(statement.values(venue_order_id=venue_order_id))
