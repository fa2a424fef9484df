"""Searches of many rows, and a pause of days: the event loop goes on meanwhile, and no answer mixes two states."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.orders.order import OrderState, OrderType, Side
from simulator import request_bodies
from simulator.endpoints import orders, positions
from simulator.endpoints.rows import MOST_AT_ONCE
from simulator.market.clocks import SteppedClock
from simulator.response_faults import decode_answer
from simulator.turns import LongAnswer
from simulator.venue.user_view import UserView
from tests.fixtures.venue_core import OpenVenueCore, VenueCore

LONG_AGO = timedelta(days=1)


def search_orders(core: VenueCore) -> LongAnswer[bytes]:
    body = request_bodies.OrderSearchBody(account_id=core.account_id, start_timestamp=core.now() - LONG_AGO)
    return orders.search(UserView(core.venue, "simulator", "simulator"), body)


def search_open_orders(core: VenueCore) -> LongAnswer[bytes]:
    body = request_bodies.AccountBody(account_id=core.account_id)
    return orders.search_open(UserView(core.venue, "simulator", "simulator"), body)


def query_orders(core: VenueCore) -> LongAnswer[bytes]:
    body = request_bodies.OrderQueryBody(filter=request_bodies.OrderFilter(account_id=core.account_id), page_size=1000)
    return orders.query(UserView(core.venue, "simulator", "simulator"), body)


def search_trades(core: VenueCore) -> LongAnswer[bytes]:
    body = request_bodies.TradeSearchBody(account_id=core.account_id)
    return positions.search_trades(UserView(core.venue, "simulator", "simulator"), body)


Search = Callable[[VenueCore], LongAnswer[bytes]]
SEARCHES = pytest.mark.parametrize("search", [search_orders, search_open_orders, query_orders, search_trades])


def finish(answer: LongAnswer[bytes]) -> tuple[int, dict[str, Any]]:
    """Return how many steps an answer takes after its first, and its JSON."""
    steps = 0
    while True:
        try:
            next(answer)
        except StopIteration as end:
            return steps, decode_answer(end.value)
        steps += 1


def fill_with_rows(core: VenueCore, count: int) -> None:
    """Let `count` limit orders work, and as many market orders fill, each with one of the other side."""
    for number in range(count):
        side = (Side.BUY, Side.SELL)[number % 2]
        assert core.place(type=OrderType.LIMIT, side=side, price="20000" if side is Side.BUY else "30000").code == 0
        core.enter(side=side)


@SEARCHES
def test_a_long_search_takes_a_step_for_each_row_and_shows_the_state_of_its_first(
    venue_core: VenueCore, search: Search
) -> None:
    fill_with_rows(venue_core, MOST_AT_ONCE + 1)
    _, before = finish(search(venue_core))
    answer = search(venue_core)
    next(answer)
    for row in list(venue_core.venue.state.alive.values()):
        venue_core.venue.cancel(row.account_id, row.id)
    fill_with_rows(venue_core, 1)
    steps, after = finish(answer)

    assert before == after
    assert steps >= MOST_AT_ONCE


@SEARCHES
def test_a_short_search_is_answered_at_once(venue_core: VenueCore, search: Search) -> None:
    fill_with_rows(venue_core, 1)

    assert 0 == finish(search(venue_core))[0]


def test_after_a_pause_of_days_others_are_served_while_orders_are_matched(open_venue_core: OpenVenueCore) -> None:
    paused, served = open_venue_core(is_always_open=True), 0
    stop = paused.place(type=OrderType.STOP, price="25100").order_id
    limit = paused.place(type=OrderType.LIMIT, price="20000").order_id
    clock = paused.venue.clock
    assert isinstance(clock, SteppedClock)
    clock.advance_to(clock.now() + timedelta(days=3))

    async def serve_others() -> None:
        nonlocal served
        while True:
            served += 1
            await asyncio.sleep(0)

    async def catch_up() -> None:
        others = asyncio.create_task(serve_others())
        await paused.venue.catch_up()
        others.cancel()

    asyncio.run(catch_up())
    caught_up = [paused.state(id_) for id_ in (stop, limit) if id_ is not None]
    paused.now()

    assert served >= 3 * 24  # at least once an hour
    assert [paused.state(id_) for id_ in (stop, limit) if id_ is not None] == caught_up
    assert OrderState.WORKING in caught_up
