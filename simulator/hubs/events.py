"""The user hub events of a change of the state, in the order observed at the venue."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from shared.domain.orders.order import OrderState, OrderType
from simulator import wire
from simulator.venue.records import AccountRecord, Change, FillRecord, HoldingRecord, OrderRecord

# Action 2 in place of 1 (venue.md section 7.2 has both): [SIM] an order that ends without a fill.
_ENDED_UNFILLED = {OrderState.CANCELLED, OrderState.EXPIRED}


@dataclass(frozen=True, slots=True)
class HubEvent:
    """One event of an account: `data` is the row as REST shows it, without null fields."""

    target: str
    account_id: int
    action: int
    data: dict[str, Any]


def events_of(change: Change) -> list[HubEvent]:
    """Return the events of one change (venue.md sections 7.2 and 10).

    Acceptance: the rows as they are; an order that rests at once comes as pending, then as open. A fill: the filled
    order and the orders it ends, trades, positions, accounts, then the orders it activates.
    """
    return list(_fill_events(change) if change.fills else _change_events(change))


def _change_events(change: Change) -> Iterator[HubEvent]:
    rests = [order for order in change.orders if _is_accepted(order, change)]
    for order in change.orders:
        yield _order(replace(order, state=OrderState.SUBMITTING) if order in rests else order)
    yield from map(_order, rests)
    yield from map(_position, change.holdings)
    yield from map(_account, change.accounts)


def _fill_events(change: Change) -> Iterator[HubEvent]:
    filled, *others = change.orders
    first = [order for order in others if order.state.is_final or _are_siblings(order, filled)]
    yield from map(_order, [filled, *first])
    yield from map(_trade, change.fills)
    yield from map(_position, change.holdings)
    yield from map(_account, change.accounts)
    yield from map(_order, [order for order in others if order not in first])


def _is_accepted(order: OrderRecord, change: Change) -> bool:
    """Whether the change creates the order, and the order rests at once."""
    return (
        order.state is OrderState.WORKING
        and order.type is not OrderType.MARKET
        and order.parent_order_id is None
        and order.created_market_at == order.updated_market_at == change.market_at
    )


def _are_siblings(order: OrderRecord, other: OrderRecord) -> bool:
    return order.parent_order_id is not None and order.parent_order_id == other.parent_order_id


def _order(order: OrderRecord) -> HubEvent:
    return _event(
        "GatewayUserOrder", order.account_id, 2 if order.state in _ENDED_UNFILLED else 1, wire.order_model(order)
    )


def _trade(fill: FillRecord) -> HubEvent:
    return _event("GatewayUserTrade", fill.account_id, 0, wire.fill_model(fill))


def _position(holding: HoldingRecord) -> HubEvent:
    model = wire.position_model(holding)
    if holding.quantity:
        return _event("GatewayUserPosition", holding.account_id, 1, model)
    return _event("GatewayUserPosition", holding.account_id, 2, {**model, "type": 0, "size": 0})


def _account(account: AccountRecord) -> HubEvent:
    return _event("GatewayUserAccount", account.id, 1, wire.account_model(account))


def _event(target: str, account_id: int, action: int, model: dict[str, object]) -> HubEvent:
    return HubEvent(target, account_id, action, {name: value for name, value in model.items() if value is not None})
