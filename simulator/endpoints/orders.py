"""Order/place, cancel and modify, and the four order searches."""

from shared.domain.orders.order import OrderState, OrderType
from simulator import request_bodies, wire
from simulator.endpoints.rows import MOST_AT_ONCE, encode_rows
from simulator.turns import LongAnswer
from simulator.venue.placing import BracketLeg, OrderTerms
from simulator.venue.records import OrderRecord
from simulator.venue.user_view import UserView
from simulator.venue.venue import Modification
from simulator.venue.venue_answer import ACCOUNT_NOT_FOUND, VenueAnswer

_PAGE_SIZE = 50
_DESCENDING = 1
_ALIVE_STATUSES = {1, 6, 7, 8}


def place(user_view: UserView, body: request_bodies.PlaceOrderBody) -> bytes:
    """Accept or reject an order."""
    if user_view.account(body.account_id) is None:
        return wire.encode_envelope(ACCOUNT_NOT_FOUND.code, orderId=None)
    joined = wire.JOINS.get(body.type)
    type_ = OrderType.LIMIT if joined else wire.TYPES.get(body.type, OrderType.UNKNOWN)
    price = {OrderType.LIMIT: body.limit_price, OrderType.TRAILING_STOP: body.trail_price}.get(type_, body.stop_price)
    answer = user_view.venue.place(
        OrderTerms(
            account_id=body.account_id,
            contract_id=body.contract_id,
            type=type_,
            side=wire.SIDES[body.side],
            quantity=body.size,
            price=price,
            tag=body.custom_tag or None,
            stop_loss=_make_leg(body.stop_loss_bracket),
            take_profit=_make_leg(body.take_profit_bracket),
            joined=joined,
        )
    )
    return wire.encode_envelope(answer.code, answer.message, orderId=answer.order_id)


def cancel(user_view: UserView, body: request_bodies.OrderByIdBody) -> bytes:
    """Cancel an order."""
    if user_view.account(body.account_id) is None:
        return wire.encode_envelope(ACCOUNT_NOT_FOUND.code)
    return _encode_answer(user_view.venue.cancel(body.account_id, body.order_id))


def modify(user_view: UserView, body: request_bodies.ModifyOrderBody) -> bytes:
    """Change an order's size or price."""
    if user_view.account(body.account_id) is None:
        return wire.encode_envelope(ACCOUNT_NOT_FOUND.code)
    wanted = Modification(quantity=body.size, limit=body.limit_price, stop=body.stop_price, trail=body.trail_price)
    return _encode_answer(user_view.venue.modify(body.account_id, body.order_id, wanted))


def search(user_view: UserView, body: request_bodies.OrderSearchBody) -> LongAnswer[bytes]:
    """Answer with the orders created in a window, in any state, oldest first."""
    user_view.now()
    if user_view.account(body.account_id) is None:
        return wire.encode_envelope(ACCOUNT_NOT_FOUND.code, orders=None)
    start = wire.to_utc(body.start_timestamp)
    end = wire.to_utc(body.end_timestamp) if body.end_timestamp else None
    rows = user_view.state.orders_of(body.account_id, start, end)
    return (yield from encode_rows("orders", rows, wire.order_model))


def search_open(user_view: UserView, body: request_bodies.AccountBody) -> LongAnswer[bytes]:
    """Answer with the working orders; suspended bracket children are not among them."""
    user_view.now()
    if user_view.account(body.account_id) is None:
        return wire.encode_envelope(ACCOUNT_NOT_FOUND.code, orders=None)
    rows = [row for row in user_view.state.list_alive(body.account_id) if row.state is OrderState.WORKING]
    return (yield from encode_rows("orders", rows, wire.order_model))


def search_by_id(user_view: UserView, body: request_bodies.OrderByIdBody) -> bytes:
    """Answer with one order, if its account belongs to the user."""
    user_view.now()
    order = user_view.state.orders.get(body.order_id)
    if order is None or order.account_id != body.account_id or user_view.account(body.account_id) is None:
        return wire.encode_envelope(1, order=None)
    return wire.encode_envelope(order=wire.order_model(order))


def query(user_view: UserView, body: request_bodies.OrderQueryBody) -> LongAnswer[bytes]:
    """Answer with a page of the orders that match a filter; the offset counts rows."""
    by = body.filter
    user_view.now()
    if user_view.account(by.account_id) is None:
        return wire.encode_envelope(ACCOUNT_NOT_FOUND.code, orders=None, totalCount=None)
    # Ids follow the order of creation, so both sort fields give the same order, and rows come sorted.
    candidates = _candidates(user_view, by)
    is_newest_first = user_view.state.behaviour.query_order == "newest_first"
    if len(candidates) > MOST_AT_ONCE:
        yield  # what follows reads only these rows, which do not change
    rows = [row for row in candidates if _matches(row, by)]
    if body.sort_direction == _DESCENDING or (body.sort_direction is None and is_newest_first):
        rows.reverse()
    first = body.page_offset or 0
    page = rows[first : first + (body.page_size or _PAGE_SIZE)]
    total = len(rows) if body.include_total_count else None
    return (yield from encode_rows("orders", page, wire.order_model, totalCount=total))


def _candidates(user_view: UserView, by: request_bodies.OrderFilter) -> list[OrderRecord]:
    """Return the rows that may match, oldest first: only the live orders if the filter asks for no others."""
    after = wire.to_utc(by.created_after) if by.created_after else None
    before = wire.to_utc(by.created_before) if by.created_before else None
    if by.statuses is None or not _ALIVE_STATUSES.issuperset(by.statuses):
        return user_view.state.orders_of(by.account_id, after, before)
    alive = sorted(user_view.state.list_alive(by.account_id), key=lambda row: row.id)
    return [
        row
        for row in alive
        if (after is None or row.created_market_at >= after) and (before is None or row.created_market_at <= before)
    ]


def _matches(row: OrderRecord, by: request_bodies.OrderFilter) -> bool:
    return by.contract_id in {None, row.contract_id} and (
        by.statuses is None or wire.STATUSES[row.state] in by.statuses
    )


def _make_leg(bracket: request_bodies.WireBracket | None) -> BracketLeg | None:
    return BracketLeg(ticks=bracket.ticks, type=wire.TYPES.get(bracket.type, OrderType.UNKNOWN)) if bracket else None


def _encode_answer(answer: VenueAnswer) -> bytes:
    return wire.encode_envelope(answer.code, answer.message)
