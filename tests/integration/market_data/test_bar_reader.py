"""Bars are read from memory, Redis or Postgres: each answers what the stored minutes say, and only what is complete."""

from contextlib import suppress
from datetime import timedelta
from random import Random

import pytest

from shared.bars.bar_reader import BarReader
from shared.db.market_data import bar_coverage, bars
from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.bar_columns import from_bars
from shared.domain.market_data.timeframe import COMMON, ONE_MINUTE, Timeframe
from shared.hot.connection import CircuitBreaker, connect
from shared.hot.recent_bars import EXPIRES_AFTER, MOST_BARS, RecentBars
from tests.fixtures.bar_tiers import BEGINS, FIVE, Tiers, make_bars
from tests.fixtures.venue import MNQ


def test_the_second_read_is_answered_by_redis_and_the_third_by_memory(tiers: Tiers) -> None:
    until = BEGINS + 600 * MINUTE
    tiers.store(make_bars(600), until)
    expected = tiers.expected(FIVE, until)[-10:]

    assert ("postgres", expected) == tiers.read(FIVE, until)
    other = BarReader(RecentBars(tiers.redis, CircuitBreaker(), "test"))
    found = other.read(tiers.connection, tiers.contract, FIVE, until, count=10)
    assert ("redis", expected, until) == (found.source, found.bars.to_bars(), found.as_of)
    found = other.read(tiers.connection, tiers.contract, FIVE, until, count=10)
    assert ("memory", expected) == (found.source, found.bars.to_bars())


def test_the_next_bar_is_added_to_what_redis_has(tiers: Tiers) -> None:
    made = make_bars(700)
    tiers.store([bar for bar in made if bar.start < BEGINS + 600 * MINUTE], BEGINS + 600 * MINUTE)
    tiers.read(FIVE, BEGINS + 600 * MINUTE)
    tiers.store(made, BEGINS + 606 * MINUTE)
    tiers.reader.refresh(tiers.connection, tiers.contract, BEGINS + 606 * MINUTE)

    source, found = tiers.read(FIVE, BEGINS + 606 * MINUTE)
    assert source in {"redis", "memory"}
    assert tiers.expected(FIVE, BEGINS + 606 * MINUTE)[-10:] == found


def test_nothing_of_redis_is_used_while_and_after_an_older_bar_is_corrected(tiers: Tiers) -> None:
    until = BEGINS + 600 * MINUTE
    tiers.store(make_bars(600), until)
    tiers.read(FIVE, until)
    assert tiers.read(FIVE, until)[0] in {"redis", "memory"}
    with tiers.recent.change(MNQ) as change:
        change.begin()
        assert ["postgres", "postgres"] == [tiers.read(FIVE, until)[0] for _ in range(2)]
    assert "postgres" == tiers.read(FIVE, until)[0]
    old = tiers.bars[-20]
    tiers.store([Bar(old.start, old.open, old.high + 50, old.low, old.close, old.volume)], until)

    assert ("postgres", tiers.expected(FIVE, until)[-10:]) == tiers.read(FIVE, until)


def test_a_correction_that_redis_was_not_told_of_ends_with_the_next_fetch(tiers: Tiers) -> None:
    until = BEGINS + 600 * MINUTE
    tiers.store(make_bars(600), until)
    tiers.read(FIVE, until)
    tiers.read(ONE_MINUTE, until)
    old = tiers.bars[-20]
    tiers.bars[-20] = Bar(old.start, old.open, old.high + 50, old.low, old.close, old.volume)
    bars.store(tiers.connection, MNQ, from_bars(tiers.bars[-20:-19]), until)
    bar_coverage.count_revision(tiers.connection, MNQ)
    tiers.reader.refresh(tiers.connection, tiers.contract, until)

    for timeframe in (FIVE, ONE_MINUTE):
        assert ("postgres", tiers.expected(timeframe, until)[-10:]) == tiers.read(timeframe, until)


def test_a_change_that_may_not_be_committed_leaves_redis_unused(tiers: Tiers) -> None:
    until = BEGINS + 600 * MINUTE
    tiers.store(make_bars(600), until)
    with suppress(OSError), tiers.recent.change(MNQ) as change:
        change.begin()
        raise OSError("the connection to Postgres is gone")

    assert ["postgres", "postgres"] == [tiers.read(FIVE, until)[0] for _ in range(2)]


def test_two_markets_share_no_bars(tiers: Tiers) -> None:
    until = BEGINS + 600 * MINUTE
    tiers.store(make_bars(600), until)
    tiers.read(FIVE, until)
    other = BarReader(RecentBars(tiers.redis, CircuitBreaker(), "other"))

    assert "postgres" == other.read(tiers.connection, tiers.contract, FIVE, until, count=10).source


def test_a_read_looks_no_further_back_than_the_first_bar(tiers: Tiers) -> None:
    until = BEGINS + timedelta(days=9, hours=3)
    tiers.store([bar for bar in make_bars(10 * 1440) if bar.start < until], until)
    week = Timeframe.parse("1w")

    whole = [bar for bar in tiers.expected(week, until) if bar.start >= BEGINS]
    assert whole == tiers.read(week, until, 200_000)[1], "they would begin before the year 1"


def test_redis_that_is_wiped_or_away_costs_time_only(tiers: Tiers) -> None:
    until = BEGINS + 600 * MINUTE
    tiers.store(make_bars(600), until)
    expected = tiers.expected(FIVE, until)[-10:]
    tiers.read(FIVE, until)
    tiers.redis.flushdb()
    assert ("postgres", expected) == tiers.read(FIVE, until)
    assert expected == tiers.read(FIVE, until)[1]
    with connect("redis://127.0.0.1:1/0", decode=False) as away:
        reader = BarReader(RecentBars(away, CircuitBreaker(), "test"))
        found = reader.read(tiers.connection, tiers.contract, FIVE, until, count=10)
    assert ("postgres", expected) == (found.source, found.bars.to_bars())


def test_more_bars_than_a_day_has_are_found_behind_weekends(tiers: Tiers) -> None:
    until = BEGINS + timedelta(days=9, hours=3)
    tiers.store([bar for bar in make_bars(10 * 1440) if bar.start < until], until)
    for text, count in (("1h", 100), ("4h", 20), ("1d", 5), ("1m", 3_000), ("1w", 1)):
        timeframe = Timeframe.parse(text)
        assert tiers.expected(timeframe, until)[-count:] == tiers.read(timeframe, until, count)[1], text
    assert tiers.expected(FIVE, until) == tiers.read(FIVE, until, 100_000)[1]


def test_bars_since_an_instant_are_those_that_start_from_it_on(tiers: Tiers) -> None:
    until = BEGINS + 600 * MINUTE
    tiers.store(make_bars(600), until)
    for since in (BEGINS + 302 * MINUTE, BEGINS + 305 * MINUTE, BEGINS + 302 * MINUTE, BEGINS):
        found = tiers.reader.read(tiers.connection, tiers.contract, FIVE, until, since=since)
        assert [bar for bar in tiers.expected(FIVE, until) if bar.start >= since] == found.bars.to_bars()


@pytest.mark.parametrize("given", [{}, {"count": 3, "since": BEGINS}])
def test_a_read_says_how_much_it_wants(tiers: Tiers, given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected one of them"):
        tiers.reader.read(tiers.connection, tiers.contract, FIVE, BEGINS, **given)  # type: ignore[arg-type]  # the error


def test_without_any_bar_the_answer_is_empty(tiers: Tiers) -> None:
    assert ("postgres", []) == tiers.read(FIVE, BEGINS + 600 * MINUTE)


def test_what_redis_has_of_a_contract_is_bounded_and_ends_by_itself(tiers: Tiers) -> None:
    until = BEGINS + timedelta(days=25)
    tiers.store(make_bars(25 * 1440), until)
    found = tiers.read(ONE_MINUTE, until, MOST_BARS + 500)[1]
    assert tiers.expected(ONE_MINUTE, until)[-MOST_BARS - 500 :] == found
    (key,) = tiers.redis.scan_iter("tickwork:bars:*")
    assert 0 < tiers.redis.pttl(key) <= EXPIRES_AFTER.total_seconds() * 1000
    assert MOST_BARS * 14 < tiers.redis.strlen(key) < MOST_BARS * 14 + 100
    assert ("postgres", found) == tiers.read(ONE_MINUTE, until, MOST_BARS + 500)
    assert found[-MOST_BARS:] == tiers.read(ONE_MINUTE, until, MOST_BARS)[1]


def test_whatever_happens_an_answer_is_what_is_stored(tiers: Tiers) -> None:
    """Minutes arrive, some late or corrected, Redis forgets, and readers of all timeframes ask in between."""
    random, made = Random(7), make_bars(3 * 1440, seed=3)
    readers = [tiers.reader, BarReader(RecentBars(tiers.redis, CircuitBreaker(), "test"))]
    until, sources = BEGINS + 300 * MINUTE, set()
    tiers.store([bar for bar in made if bar.start < until], until)
    for _ in range(150):
        begun, until = until, until + random.randint(1, 9) * MINUTE
        new = [bar for bar in made if begun <= bar.start < until]
        if random.random() < 0.2:
            old = random.choice(tiers.bars)
            new.append(Bar(old.start, old.open, old.high + 1, old.low, old.close, old.volume + 1))
        tiers.store(new, until)
        if random.random() < 0.8:
            readers[0].refresh(tiers.connection, tiers.contract, until)
        if random.random() < 0.05:
            tiers.redis.flushdb()
        for reader in readers:
            timeframe, count = random.choice(COMMON), random.choice([1, 7, 40])
            for _ in range(2):
                at = until if random.random() < 0.8 else until - random.randint(1, 200) * MINUTE
                found = reader.read(tiers.connection, tiers.contract, timeframe, at, count=count)
                assert tiers.expected(timeframe, at)[-count:] == found.bars.to_bars()
                sources.add(found.source)
    assert {"memory", "redis", "postgres"} == sources
