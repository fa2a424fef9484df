"""Scripted prices: their path, and the bars and trailing stops that follow from it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.coverage import Span
from shared.domain.orders.matching import Move, Quote, find_fill, trail_stop
from shared.domain.orders.order import OrderType, Side
from simulator.market.aggregate import second_bars
from simulator.market.market import find_moves, find_quote, forming_bar
from simulator.market.script import Script, Step
from simulator.market.scripted import ScriptedMarket
from simulator.market.seeded import SeededMarket
from simulator.venue.filling import Execution, average_price

START = datetime(2026, 3, 10, 15, 0, 30, tzinfo=UTC)
MNQ = "CON.F.US.MNQ.H26"
BASE = SeededMarket(7)  # shared: it caches its days
PRICES = st.integers(99_900, 100_100)
STEPS = st.builds(
    Step,
    price=PRICES, seconds=st.floats(0.5, 90), open=st.none() | PRICES, high=st.none() | PRICES, low=st.none() | PRICES,
    volume=st.integers(0, 100),
)  # fmt: skip


@given(st.lists(STEPS, min_size=1, max_size=8))
def test_the_bars_of_a_script_match_its_path_and_its_volume(steps: list[Step]) -> None:
    market = ScriptedMarket(BASE)
    contract = market.contract(MNQ, START)
    assert contract is not None
    market.play(Script(contract_id=MNQ, starts_market_at=START, steps=steps))
    end = START + timedelta(seconds=sum(step.seconds for step in steps))
    minute = START.replace(second=0)
    span = Span(minute, end.replace(second=0, microsecond=0) + MINUTE)
    bars = list(market.bars_backwards(contract, span))[::-1]
    first = next(BASE.bars_backwards(contract, Span(minute, minute + MINUTE)))

    assert [minute + n * MINUTE for n in range(len(bars))] == [bar.start for bar in bars]
    assert sum(step.volume for step in steps) + first.volume // 2 == sum(bar.volume for bar in bars)
    for bar in bars:
        prices = [
            price for move in find_moves(market, contract, Span(bar.start, bar.start + MINUTE))
            for price in (move.start_price, move.end_price)
        ]  # fmt: skip
        assert (prices[0], max(prices), min(prices), prices[-1]) == (bar.open, bar.high, bar.low, bar.close)
    now = find_quote(market, contract, end + 5 * MINUTE)
    assert now is not None
    assert steps[-1].price == now.last


def test_a_second_script_continues_from_the_first_and_does_not_change_the_past() -> None:
    market = ScriptedMarket(BASE)
    contract = market.contract(MNQ, START)
    assert contract is not None
    market.play(Script(contract_id=MNQ, starts_market_at=START, steps=[Step(price=100_000, seconds=600, open=100_000)]))
    later = START + 3 * MINUTE
    past = Span(START - 5 * MINUTE, later.replace(second=0))
    before = list(market.bars_backwards(contract, past))
    market.play(Script(contract_id=MNQ, starts_market_at=later, steps=[Step(price=100_050, seconds=60)]))
    (first, *_) = find_moves(market, contract, Span(later, later + MINUTE))

    assert before == list(market.bars_backwards(contract, past))
    assert (100_000, later) == (first.start_price, first.start)


@given(
    st.lists(STEPS, min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(1, 200_000_000), st.lists(STEPS, max_size=1)), min_size=1, max_size=3),
)
def test_no_script_changes_a_second_or_a_minute_or_a_quote_before_it(
    steps: list[Step], later: list[tuple[int, list[Step]]]
) -> None:
    market = ScriptedMarket(BASE)
    contract = market.contract(MNQ, START)
    assert contract is not None
    starts = START + timedelta(microseconds=123_457)  # within a second, of a minute of the base market
    for away, script in ((0, steps), *later):
        starts += timedelta(microseconds=away)
        before = history(market, contract, starts)
        market.play(Script(contract_id=MNQ, starts_market_at=starts, steps=script))

        assert before == history(market, contract, starts)


@pytest.mark.parametrize("rise", [50, -50])
def test_a_script_without_steps_holds_the_best_prices_too(rise: int) -> None:
    market = ScriptedMarket(BASE)
    contract = market.contract(MNQ, START)
    assert contract is not None
    market.play(
        Script(contract_id=MNQ, starts_market_at=START, steps=[Step(price=100_000, seconds=9, open=100_000 - rise)])
    )
    for starts in (START + timedelta(seconds=5), START + timedelta(seconds=90), START + 3 * MINUTE):
        before = find_quote(market, contract, starts)
        market.play(Script(contract_id=MNQ, starts_market_at=starts))

        assert [before, before] == [find_quote(market, contract, starts + wait) for wait in (timedelta(0), 5 * MINUTE)]


def history(market: ScriptedMarket, contract: Contract, now: datetime) -> list[Bar | Quote | None]:
    """Return the seconds that are over, the minutes that are over, the forming one, and the quotes until now."""
    minutes = list(market.bars_backwards(contract, Span(START - MINUTE, now)))
    seconds = [second for minute in minutes for second in second_bars(market, contract, minute, now)]
    whole = [bar for bar in minutes if bar.start + MINUTE <= now]
    ends = [second.start + timedelta(seconds=1) for second in seconds]
    quotes = [find_quote(market, contract, at) for at in ends if at < now]
    return [*seconds, *whole, forming_bar(market, contract, now), *quotes]


def test_a_script_replaced_within_a_step_keeps_the_price_and_volume_of_finished_minutes() -> None:
    market = ScriptedMarket(BASE)
    contract = market.contract(MNQ, START)
    assert contract is not None
    whole = [Step(price=100_937, seconds=600, volume=1007)]
    market.play(Script(contract_id=MNQ, starts_market_at=START, steps=whole))
    past = Span(START, START + 5 * MINUTE)
    before = list(market.bars_backwards(contract, past))
    cut = START + timedelta(seconds=333.3)
    market.play(Script(contract_id=MNQ, starts_market_at=cut, steps=[Step(price=90_000, seconds=60, volume=10)]))

    assert before == list(market.bars_backwards(contract, past))


class PlayedMeanwhile(SeededMarket):
    """A market in which a script is played whenever its bars are read, as if another thread had done it."""

    play: Callable[[], None] | None = None

    def bars_backwards(self, contract: Contract, span: Span) -> Iterator[Bar]:
        play, self.play = self.play, None
        if play:
            play()
        yield from super().bars_backwards(contract, span)


@pytest.mark.parametrize("read", ["bar", "path", "volume"])
def test_what_is_read_while_a_script_is_played_is_of_the_scripts_before_it(read: str) -> None:
    base = PlayedMeanwhile(7)
    market = ScriptedMarket(base)
    contract = market.contract(MNQ, START)
    assert contract is not None
    market.play(Script(contract_id=MNQ, starts_market_at=START, steps=[Step(price=100_000, seconds=60, volume=600)]))
    minute = START.replace(second=0)
    [bar] = market.bars_backwards(contract, Span(minute, minute + MINUTE))

    def find() -> object:
        if read == "bar":
            return list(market.bars_backwards(contract, Span(minute, minute + MINUTE)))
        if read == "path":
            return market.path(contract, bar)
        return market.volume_until(contract, bar, minute + MINUTE)

    other = Script(
        contract_id=MNQ, starts_market_at=START + timedelta(seconds=9), steps=[Step(price=90_000, seconds=5, volume=7)]
    )
    before = find()
    base.play = lambda: market.play(other)
    meanwhile = find()

    assert before == meanwhile
    assert before != find()


@given(st.lists(st.integers(900, 1100), min_size=2, max_size=30), st.integers(1, 60), st.sampled_from(Side))
def test_a_trailing_stop_fills_on_moves_as_it_does_tick_by_tick(path: list[int], trail: int, side: Side) -> None:
    ticks = [path[0]]
    for price in path[1:]:
        step = 1 if price > ticks[-1] else -1
        ticks.extend(range(ticks[-1] + step, price + step, step) if price != ticks[-1] else [price])
    level, expected = path[0] + trail * side.sign, None
    for last in ticks:
        if (last - level) * side.sign >= 0:
            expected = level
            break
        level = trail_stop(side, level, trail, last)

    price, hit = path[0] + trail * side.sign, None
    for number in range(len(path) - 1):
        a, b = path[number], path[number + 1]
        at = START + number * MINUTE
        move = Move(at, at + MINUTE, a, b, is_rising=b > a)
        hit = find_fill(OrderType.TRAILING_STOP, side, price, move, trail)
        if hit:
            break
        price = trail_stop(side, trail_stop(side, price, trail, a), trail, b)

    assert expected == (hit.last if hit else None)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 1000)), min_size=1, max_size=10))
def test_the_price_of_an_order_is_the_average_over_its_contracts(parts: list[tuple[int, int]]) -> None:
    price, quantity = None, 0
    for size, at in parts:
        price = average_price(price, quantity, Execution(size, at, START))
        quantity += size

    assert Fraction(sum(size * at for size, at in parts), quantity) == price
