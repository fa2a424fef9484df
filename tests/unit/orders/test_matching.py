"""Fills of orders on the path of the last price."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.orders.matching import Move, PriceHit, Quote, fill_price_on_arrival, find_fill, moves_of
from shared.domain.orders.order import OrderType, Side

START = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
PRICES = st.integers(900, 1100)
SIDES = st.sampled_from(Side)


def move(start: int, end: int) -> Move:
    return Move(START, START + MINUTE, start, end, is_rising=end > start)


MOVES = st.builds(move, PRICES, PRICES)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    low, *middle, high = sorted(draw(st.lists(PRICES, min_size=4, max_size=4)))
    open_, close = draw(st.permutations(middle))
    return Bar(START, open_, high, low, close, 1)


def test_a_rising_bar_goes_to_its_low_first() -> None:
    path = list(moves_of(Bar(START, 100, 110, 95, 105, 1)))

    assert [(100, 95), (95, 110), (110, 105)] == [(part.start_price, part.end_price) for part in path]
    assert [False, True, False] == [part.is_rising for part in path]


def test_a_falling_bar_goes_to_its_high_first() -> None:
    path = list(moves_of(Bar(START, 105, 110, 95, 100, 1)))

    assert [(105, 110), (110, 95), (95, 100)] == [(part.start_price, part.end_price) for part in path]
    assert [True, False, True] == [part.is_rising for part in path]


@given(bars())
def test_the_moves_of_a_bar_are_continuous_over_its_minute(bar: Bar) -> None:
    path = list(moves_of(bar))

    assert (bar.start, bar.start + MINUTE) == (path[0].start, path[-1].end)
    for before, after in itertools.pairwise(path):
        assert (before.end, before.end_price) == (after.start, after.start_price)
    assert {bar.high, bar.low} <= {part.start_price for part in path} | {part.end_price for part in path}


@given(bars(), st.integers(0, 59_999), SIDES)
def test_a_quote_is_one_tick_wide_and_its_last_price_is_inside_the_bar(bar: Bar, millisecond: int, side: Side) -> None:
    at = START + timedelta(milliseconds=millisecond)
    quote = next(part for part in moves_of(bar) if part.start <= at < part.end).quote_at(at)

    assert 1 == quote.ask - quote.bid
    assert bar.low <= quote.last <= bar.high
    assert quote.last in {quote.bid, quote.ask}
    assert (quote.ask if side is Side.BUY else quote.bid) == quote.price_for(side)


def test_while_the_price_rises_the_last_trade_was_at_the_ask() -> None:
    assert Quote(bid=104, ask=105, last=105) == move(100, 110).quote_at(START + MINUTE / 2)


def test_while_the_price_falls_the_last_trade_was_at_the_bid() -> None:
    assert Quote(bid=105, ask=106, last=105) == move(110, 100).quote_at(START + MINUTE / 2)


def test_a_market_order_fills_at_the_other_side_of_the_quote() -> None:
    quote = Quote(bid=99, ask=100, last=100)

    assert 100 == fill_price_on_arrival(OrderType.MARKET, Side.BUY, None, quote)
    assert 99 == fill_price_on_arrival(OrderType.MARKET, Side.SELL, None, quote)


def test_a_limit_that_crosses_the_quote_fills_at_the_quote() -> None:
    quote = Quote(bid=99, ask=100, last=100)

    assert 100 == fill_price_on_arrival(OrderType.LIMIT, Side.BUY, 105, quote)
    assert 99 == fill_price_on_arrival(OrderType.LIMIT, Side.SELL, 99, quote)
    assert None is fill_price_on_arrival(OrderType.LIMIT, Side.BUY, 99, quote)
    assert None is fill_price_on_arrival(OrderType.STOP, Side.BUY, 105, quote)


def test_a_stop_triggers_at_a_touch() -> None:
    assert PriceHit(START + MINUTE / 2, 105, 105) == find_fill(OrderType.STOP, Side.BUY, 105, move(100, 110))
    assert PriceHit(START + MINUTE, 100, 100) == find_fill(OrderType.STOP, Side.SELL, 100, move(110, 100))


def test_a_stop_passed_by_a_gap_fills_at_the_first_price_after_it() -> None:
    assert PriceHit(START, 111, 110) == find_fill(OrderType.STOP, Side.BUY, 105, move(110, 100))
    assert PriceHit(START, 89, 90) == find_fill(OrderType.STOP, Side.SELL, 100, move(90, 95))


def test_a_limit_does_not_fill_at_a_touch() -> None:
    assert None is find_fill(OrderType.LIMIT, Side.SELL, 110, move(100, 110))
    assert PriceHit(START + MINUTE, 110, 111) == find_fill(OrderType.LIMIT, Side.SELL, 110, move(100, 111))
    assert PriceHit(START + MINUTE, 100, 99) == find_fill(OrderType.LIMIT, Side.BUY, 100, move(110, 99))


def test_a_market_order_does_not_rest() -> None:
    with pytest.raises(ValueError, match="does not rest"):
        find_fill(OrderType.MARKET, Side.BUY, 100, move(100, 110))


@given(PRICES, PRICES, PRICES, SIDES)
def test_a_stop_is_never_filled_better_than_its_price(start: int, end: int, price: int, side: Side) -> None:
    hit = find_fill(OrderType.STOP, side, price, move(start, end))

    assert (hit is not None) == ((max(start * side.sign, end * side.sign) - price * side.sign) >= 0)
    if hit is not None:
        assert (hit.price - price) * side.sign >= 0


@given(PRICES, PRICES, PRICES, SIDES)
def test_a_limit_fills_at_its_price_or_not_at_all(start: int, end: int, price: int, side: Side) -> None:
    hit = find_fill(OrderType.LIMIT, side, price, move(start, end))

    is_through = min(start, end) < price if side is Side.BUY else max(start, end) > price
    assert (price if is_through else None) == (hit.price if hit else None)


@given(MOVES, PRICES, SIDES, st.sampled_from([OrderType.STOP, OrderType.LIMIT]), st.integers(1, 59_999))
def test_splitting_a_move_changes_no_fill(
    whole: Move, price: int, side: Side, type_: OrderType, millisecond: int
) -> None:
    cut = START + timedelta(milliseconds=millisecond)
    first, second = whole.clip(START, cut), whole.clip(cut, START + MINUTE)

    expected, actual = (
        find_fill(type_, side, price, whole),
        find_fill(type_, side, price, first) or find_fill(type_, side, price, second),
    )

    assert (expected and (expected.price, expected.last)) == (actual and (actual.price, actual.last))


@given(PRICES, PRICES, st.integers(0, 60_000))
def test_the_price_of_a_move_stays_between_its_ends(start: int, end: int, millisecond: int) -> None:
    at = START + timedelta(milliseconds=millisecond)

    assert min(start, end) <= move(start, end).price_at(at) <= max(start, end)
