"""Fills, and the order of their changes: partial fills, brackets, trailing and joined orders."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from shared.domain.orders.order import OrderState, OrderType, Role, Side
from simulator.venue.records import AccountSettings, Change
from simulator.venue.venue import Modification
from tests.fixtures.venue import MNQ
from tests.fixtures.venue_core import MOMENT, VenueCore

WORKING, FILLED, CANCELLED = OrderState.WORKING, OrderState.FILLED, OrderState.CANCELLED
SUSPENDED = OrderState.SUSPENDED


def order_states(changes: list[Change]) -> list[list[tuple[Role, OrderState]]]:
    return [[(row.role, row.state) for row in change.orders] for change in changes]


def test_a_bracket_entry_is_one_change_for_acceptance_and_one_for_the_fill(venue_core: VenueCore) -> None:
    venue_core.changes.clear()
    entry = venue_core.enter(stop_loss=-40, take_profit=80)
    accepted, filled = venue_core.changes

    assert [
        [(Role.STOP_LOSS, SUSPENDED), (Role.ENTRY, OrderState.SUBMITTING), (Role.TAKE_PROFIT, SUSPENDED)],
        [(Role.ENTRY, FILLED), (Role.TAKE_PROFIT, WORKING), (Role.STOP_LOSS, WORKING)],
    ] == order_states(venue_core.changes)  # fmt: skip
    assert [entry.id + 1, entry.id, entry.id + 2] == [row.id for row in accepted.orders]
    assert (1, 1, 1) == (len(filled.fills), len(filled.holdings), len(filled.accounts))
    assert entry.created_market_at + MOMENT == filled.market_at


def test_a_leg_that_fills_and_its_cancelled_sibling_are_one_change(venue_core: VenueCore) -> None:
    venue_core.enter(stop_loss=-40, take_profit=80)
    venue_core.changes.clear()
    venue_core.move_price("24980.00")
    (change,) = [change for change in venue_core.changes if change.fills]

    assert [(Role.STOP_LOSS, FILLED), (Role.TAKE_PROFIT, CANCELLED)] == order_states([change])[0]
    assert 0 == venue_core.position()


def test_a_market_order_fills_after_ten_milliseconds_and_not_before(venue_core: VenueCore) -> None:
    order_id = venue_core.place().order_id
    assert order_id is not None
    venue_core.step(milliseconds=9)
    early = venue_core.state(order_id)
    venue_core.step(milliseconds=1)

    assert [OrderState.SUBMITTING, FILLED] == [early, venue_core.state(order_id)]


def test_a_partly_filled_order_stays_open_and_shows_its_average_price(venue_core: VenueCore) -> None:
    venue_core.partial.append(1.0)
    entry = venue_core.enter(quantity=5)
    first = entry
    venue_core.move_price("25010.00", seconds=0.5)
    venue_core.step(seconds=1)
    whole = venue_core.order(entry.id)
    first_fill, second_fill = venue_core.fills()

    assert (WORKING, 2, Fraction(first_fill.price)) == (first.state, first.filled_quantity, first.fill_price)
    assert (FILLED, 5) == (whole.state, whole.filled_quantity)
    assert Fraction(2 * first_fill.price + 3 * second_fill.price, 5) == whole.fill_price
    assert first_fill.price < second_fill.price
    assert 5 == venue_core.position()


def test_legs_cover_the_filled_quantity_and_grow_with_it(venue_core: VenueCore) -> None:
    venue_core.partial.append(1.0)
    entry = venue_core.enter(quantity=4, stop_loss=-40, take_profit=80)
    first = [(venue_core.order(entry.id + n).state, venue_core.order(entry.id + n).quantity) for n in (1, 2)]
    price = venue_core.order(entry.id + 1).price
    venue_core.step(seconds=2)

    assert [(WORKING, 2), (WORKING, 2)] == first
    assert [(WORKING, 4), (WORKING, 4)] == [
        (venue_core.order(entry.id + n).state, venue_core.order(entry.id + n).quantity) for n in (1, 2)
    ]
    assert price == venue_core.order(entry.id + 1).price


def test_cancelling_a_partly_filled_entry_leaves_its_position_protected(venue_core: VenueCore) -> None:
    venue_core.partial.append(60.0)
    entry = venue_core.enter(quantity=4, stop_loss=-40)

    assert 0 == venue_core.venue.cancel(venue_core.account_id, entry.id).code
    venue_core.step(minutes=2)
    assert (CANCELLED, 2) == (venue_core.state(entry.id), venue_core.order(entry.id).filled_quantity)
    assert (WORKING, 2) == (venue_core.state(entry.id + 1), venue_core.order(entry.id + 1).quantity)
    assert 2 == venue_core.position()


def test_a_partly_filled_stop_shrinks_its_sibling_and_its_rest_fills_at_market(venue_core: VenueCore) -> None:
    entry = venue_core.enter(quantity=4, stop_loss=-40, take_profit=80)
    venue_core.partial.append(5.0)
    venue_core.move_price("24980.00")
    stop, target = venue_core.order(entry.id + 1), venue_core.order(entry.id + 2)
    venue_core.step(seconds=6)

    assert (WORKING, 2) == (stop.state, stop.filled_quantity)
    assert (WORKING, 2) == (target.state, target.quantity)
    assert [FILLED, CANCELLED] == [venue_core.state(entry.id + 1), venue_core.state(entry.id + 2)]
    assert 0 == venue_core.position()


def test_the_rest_of_a_limit_order_rests_at_its_price(venue_core: VenueCore) -> None:
    venue_core.partial.append(1.0)
    order_id = venue_core.place(type=OrderType.LIMIT, price="24990.00", quantity=2).order_id
    assert order_id is not None
    venue_core.move_price("24985.00", "25000.00", seconds=0.5)
    venue_core.step(seconds=5)
    half = venue_core.order(order_id)
    venue_core.move_price("24985.00")

    assert (WORKING, 1) == (half.state, half.filled_quantity)
    assert (FILLED, Fraction(24990 * 4)) == (venue_core.state(order_id), venue_core.order(order_id).fill_price)


def test_a_trailing_stop_follows_the_price_and_never_goes_back(venue_core: VenueCore) -> None:
    venue_core.enter()
    order_id = venue_core.place(type=OrderType.TRAILING_STOP, side=Side.SELL, price="24990.00").order_id
    assert order_id is not None
    levels = [venue_core.order(order_id).price]
    for price in ("25020.00", "25015.00", "25030.00"):
        venue_core.move_price(price)
        levels.append(venue_core.order(order_id).price)
    venue_core.move_price("25015.00")

    assert [24990 * 4, 25010 * 4, 25010 * 4, 25020 * 4] == levels
    assert 40 == venue_core.order(order_id).trail_ticks
    assert (FILLED, Fraction(25020 * 4)) == (venue_core.state(order_id), venue_core.order(order_id).fill_price)
    assert 0 == venue_core.position()


def test_a_modified_trailing_stop_has_a_new_distance_without_a_cap(venue_core: VenueCore) -> None:
    order_id = venue_core.place(type=OrderType.TRAILING_STOP, side=Side.SELL, price="24990.00").order_id
    assert order_id is not None

    def modify(price: str) -> int:
        return venue_core.venue.modify(venue_core.account_id, order_id, Modification(trail=Decimal(price))).code

    assert 0 == modify("24000.00")
    assert (4000, 24000 * 4) == (venue_core.order(order_id).trail_ticks, venue_core.order(order_id).price)
    assert 3 == modify("24999.90")
    assert 3 == venue_core.venue.modify(venue_core.account_id, order_id, Modification(trail=Decimal("NaN"))).code


def test_a_trailing_stop_loss_starts_at_its_distance_and_trails(venue_core: VenueCore) -> None:
    entry = venue_core.enter(stop_loss=-40, stop_type=OrderType.TRAILING_STOP)
    leg, price = venue_core.order(entry.id + 1), entry.fill_price
    venue_core.move_price("25050.00")

    assert (OrderType.TRAILING_STOP, 40, price and price - 40) == (leg.type, leg.trail_ticks, leg.price)
    assert 25040 * 4 == venue_core.order(entry.id + 1).price


@pytest.mark.parametrize(("joined", "side"), [(Side.BUY, Side.BUY), (Side.SELL, Side.SELL)])
def test_a_joined_order_rests_at_the_best_price_of_its_acceptance(
    venue_core: VenueCore, joined: Side, side: Side
) -> None:
    order_id = venue_core.place(type=OrderType.LIMIT, side=side, joined=joined).order_id
    assert order_id is not None
    order = venue_core.order(order_id)
    venue_core.move_price("25010.00" if side is Side.SELL else "24990.00")

    assert (WORKING, joined) == (order.state, order.joined)
    assert order.price in {25000 * 4, 25000 * 4 + (1 if side is Side.SELL else -1)}
    assert (FILLED, Fraction(order.price)) == (venue_core.state(order_id), venue_core.order(order_id).fill_price)


def test_two_closing_orders_at_once_do_not_reverse_the_position(venue_core: VenueCore) -> None:
    venue_core.enter(quantity=2)

    assert [0, 0] == [venue_core.venue.close(venue_core.account_id, MNQ).code for _ in range(2)]
    venue_core.step(seconds=1)
    assert 0 == venue_core.position()


def test_a_closing_order_without_a_position_is_cancelled_with_its_size(venue_core: VenueCore) -> None:
    venue_core.enter(quantity=2)
    venue_core.venue.close(venue_core.account_id, MNQ)
    venue_core.venue.close(venue_core.account_id, MNQ)
    venue_core.step(seconds=1)
    *_, first, second = sorted(venue_core.venue.state.orders.values(), key=lambda order: order.id)

    assert [(OrderState.FILLED, 2), (OrderState.CANCELLED, 2)] == [
        (order.state, order.quantity) for order in (first, second)
    ]


def test_close_cancels_legs_cancels_the_legs_of_a_closed_position(venue_core: VenueCore) -> None:
    venue_core.venue.set_account(venue_core.account_id, AccountSettings(close_cancels_legs=True))
    entry = venue_core.enter(stop_loss=-40, take_profit=80)
    venue_core.venue.close(venue_core.account_id, MNQ)
    venue_core.step(seconds=1)

    assert [CANCELLED, CANCELLED] == [venue_core.state(entry.id + n) for n in (1, 2)]


def test_fills_of_several_contracts_are_in_the_order_of_time(venue_core: VenueCore) -> None:
    mes = "CON.F.US.MES.H26"
    venue_core.enter(stop_loss=-40)
    venue_core.enter(contract_id=mes, stop_loss=-4)
    venue_core.move_price("24900.00", seconds=3600)

    assert sorted(fill.filled_market_at for fill in venue_core.fills()) == [
        fill.filled_market_at for fill in venue_core.fills()
    ]
    assert sorted(fill.id for fill in venue_core.fills()) == [fill.id for fill in venue_core.fills()]
    assert timedelta(0) < venue_core.fills()[-1].filled_market_at - venue_core.fills()[0].filled_market_at
