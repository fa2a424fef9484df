"""The prints of a minute are inside it, in order, and add up to its bar."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.orders.matching import Move, moves_of
from simulator.market.script import bar_of
from simulator.market.tape import PRINTS_A_MINUTE, Print, prints_on

START = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    prices = [draw(st.integers(-500, 500)) + 100_000 for _ in range(4)]
    return Bar(START, prices[0], max(prices), min(prices), prices[1], draw(st.integers(0, 5_000)))


@st.composite
def paths(draw: st.DrawFn) -> list[Move]:
    """A scripted minute: moves of any length, with jumps between some."""
    cuts = draw(st.lists(st.integers(1_000, 59_999_000), unique=True, max_size=6).map(sorted))
    instants = [START, *(START + timedelta(microseconds=cut) for cut in cuts), START + MINUTE]
    price = draw(st.integers(-200, 200))
    path = []
    for start, end in pairwise(instants):
        first = draw(st.just(price) | st.integers(-200, 200))
        price = draw(st.integers(-200, 200))
        path.append(Move(start, end, first, price, is_rising=price > first))
    return path


def bar_of_prints(prints: list[Print]) -> Bar:
    prices = [row.price_ticks for row in prints]
    return Bar(START, prices[0], max(prices), min(prices), prices[-1], sum(row.volume for row in prints))


def prints_of(bar: Bar, most: int = PRINTS_A_MINUTE) -> list[Print]:
    return list(prints_on(list(moves_of(bar)), bar.volume, most))


@given(bars(), st.integers(1, 1_000))
def test_the_prints_of_any_bar_add_up_to_the_bar(bar: Bar, most: int) -> None:
    assert bar == bar_of_prints(prints_of(bar, most))


@given(paths(), st.integers(0, 2_000))
def test_the_prints_of_any_path_add_up_to_its_bar(path: list[Move], volume: int) -> None:
    bar = bar_of(START, path, volume)

    assert bar == bar_of_prints(list(prints_on(path, volume, PRINTS_A_MINUTE)))


@given(bars())
def test_prints_are_in_order_and_inside_the_minute(bar: Bar) -> None:
    instants = [row.at for row in prints_of(bar)]

    assert sorted(instants) == instants
    assert START == instants[0]
    assert START + MINUTE > instants[-1]


@given(bars())
def test_a_bar_has_at_most_240_prints_and_none_without_volume_if_there_is_enough(bar: Bar) -> None:
    prints = prints_of(bar)

    assert max(min(240, bar.volume), 4) >= len(prints)
    assert bar.volume < 4 or all(row.volume > 0 for row in prints)


@given(bars())
def test_a_print_lies_on_the_path_of_the_price(bar: Bar) -> None:
    path = list(moves_of(bar))
    for row in prints_of(bar):
        move = next(move for move in path if row.at < move.end)
        assert 1 >= abs(move.price_at(row.at) - row.price_ticks)
        assert move.is_rising == row.is_buyer


@given(paths(), st.integers(0, 2_000), st.integers(0, 59))
def test_the_prints_of_the_rest_of_a_minute_add_up_to_its_volume(path: list[Move], volume: int, seconds: int) -> None:
    since = START + timedelta(seconds=seconds)
    rest = [move.clip(since, move.end) for move in path if move.end > since]

    assert volume == sum(row.volume for row in prints_on(rest, volume, 240))
    assert rest[-1].end_price == list(prints_on(rest, volume, 240))[-1].price_ticks
