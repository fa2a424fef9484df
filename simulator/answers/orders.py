"""Order/place, cancel, modify and the four ways to look orders up."""

from datetime import datetime

from shared.domain.order import OrderState, OrderType
from simulator import wire
from simulator.venue.placing import Bracket, Wanted
from simulator.venue.records import Order
from simulator.venue.venue import ACCOUNT_NOT_FOUND, Venue, Verdict

_PAGE_SIZE = 50


def place(venue: Venue, body: wire.PlaceOrder) -> bytes:
    """Take or reject an order."""
    type_ = wire.TYPES.get(body.type, OrderType.UNKNOWN)
    verdict = venue.place(
        Wanted(
            account_id=body.account_id,
            contract_id=body.contract_id,
            type=type_,
            side=wire.SIDES[body.side],
            quantity=body.size,
            price=body.limit_price if type_ is OrderType.LIMIT else body.stop_price,
            tag=body.custom_tag or None,
            stop_loss=_bracket(body.stop_loss_bracket),
            take_profit=_bracket(body.take_profit_bracket),
        )
    )
    return wire.envelope(verdict.code, verdict.message, orderId=verdict.order_id)


def cancel(venue: Venue, body: wire.OrderById) -> bytes:
    """Cancel an order."""
    return _answer(venue.cancel(body.account_id, body.order_id))


def modify(venue: Venue, body: wire.ModifyOrder) -> bytes:
    """Change an order's size or price; trailing stops are not there to be moved."""
    if body.trail_price is not None:
        return wire.envelope(3, "Trail Distance not set.")
    return _answer(venue.modify(body.account_id, body.order_id, body.size, body.limit_price, body.stop_price))


def search(venue: Venue, body: wire.OrderSearch) -> bytes:
    """Answer with the orders created in a window, whatever became of them, newest first."""
    found = _of_account(venue, body.account_id)
    start = wire.utc(body.start_timestamp)
    end = wire.utc(body.end_timestamp) if body.end_timestamp else None
    return _orders(found and [row for row in found[::-1] if _is_within(row.created_market_at, start, end)], found)


def search_open(venue: Venue, body: wire.OfAccount) -> bytes:
    """Answer with the open orders only: suspended bracket children are not among them."""
    found = _of_account(venue, body.account_id)
    return _orders(found and [row for row in found if row.state is OrderState.WORKING], found)


def search_by_id(venue: Venue, body: wire.OrderById) -> bytes:
    """Answer with one order."""
    venue.now()
    order = venue.book.orders.get(body.order_id)
    if order is None or order.account_id != body.account_id:
        return wire.envelope(1, order=None)
    return wire.envelope(order=wire.order_model(order))


def query(venue: Venue, body: wire.OrderQuery) -> bytes:
    """Answer with a page of the orders that match a filter; the offset counts rows."""
    by = body.filter
    found = _of_account(venue, by.account_id)
    if found is None:
        return wire.envelope(1, orders=None, totalCount=None)
    after = wire.utc(by.created_after) if by.created_after else None
    before = wire.utc(by.created_before) if by.created_before else None
    rows = [
        row
        for row in found
        if (by.statuses is None or wire.STATUSES[row.state] in by.statuses)
        and by.contract_id in {None, row.contract_id}
        and _is_within(row.created_market_at, after, before)
    ]
    # Ids are given in the order of creation, so both fields sort alike.
    rows.sort(key=lambda row: row.id, reverse=body.sort_direction == 1)
    first = body.page_offset or 0
    page = rows[first : first + (body.page_size or _PAGE_SIZE)]
    return wire.envelope(
        orders=[wire.order_model(row) for row in page], totalCount=len(rows) if body.include_total_count else None
    )


def _of_account(venue: Venue, account_id: int) -> list[Order] | None:
    venue.now()
    if account_id not in venue.book.accounts:
        return None
    return [row for row in venue.book.orders.values() if row.account_id == account_id]


def _orders(rows: list[Order] | None, found: list[Order] | None) -> bytes:
    if found is None:
        return wire.envelope(ACCOUNT_NOT_FOUND.code, orders=None)
    return wire.envelope(orders=[wire.order_model(row) for row in rows or []])


def _is_within(at: datetime, start: datetime | None, end: datetime | None) -> bool:
    return (start is None or at >= start) and (end is None or at <= end)


def _bracket(asked: wire.WireBracket | None) -> Bracket | None:
    return Bracket(ticks=asked.ticks, type=wire.TYPES.get(asked.type, OrderType.UNKNOWN)) if asked else None


def _answer(verdict: Verdict) -> bytes:
    return wire.envelope(verdict.code, verdict.message)
