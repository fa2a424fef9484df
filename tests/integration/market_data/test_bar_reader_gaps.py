"""Minutes that are missing or were set aside are named with the bars that were read, and kept in no cache."""

from datetime import datetime, timedelta

from shared.db.market_data import rejected_bars
from shared.domain.market_data.bar import MINUTE, RejectedBar
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.timeframe import ONE_MINUTE
from tests.fixtures.bar_tiers import BEGINS, FIVE, Tiers, make_bars
from tests.fixtures.venue import MNQ


def test_a_gap_is_named_and_what_lies_around_it_is_kept_nowhere(tiers: Tiers) -> None:
    until = BEGINS + 600 * MINUTE
    hole = Span(BEGINS + 580 * MINUTE, BEGINS + 583 * MINUTE)
    tiers.store([bar for bar in make_bars(600) if not hole.start <= bar.start < hole.end], until, holes=(hole,))
    for _ in range(2):
        found = tiers.reader.read(tiers.connection, tiers.contract, FIVE, until, count=10)
        assert ("postgres", (hole,), until) == (found.source, found.gaps, found.as_of)
    newest = Span(until - MINUTE, until)
    tiers.store([], until, holes=(newest,))
    found = tiers.reader.read(tiers.connection, tiers.contract, ONE_MINUTE, until, count=10)
    assert ((newest,), newest.start) == (found.gaps, found.as_of)


def test_a_gap_before_the_bars_that_were_asked_for_is_none_of_theirs(tiers: Tiers) -> None:
    until = BEGINS + 600 * MINUTE
    hole = Span(BEGINS + 420 * MINUTE, BEGINS + 423 * MINUTE)
    quiet = [bar for bar in make_bars(600) if (bar.start - BEGINS) % (15 * MINUTE) == timedelta(0)]
    tiers.store([bar for bar in quiet if bar.start != hole.start], until, holes=(hole,))
    for sources in ({"postgres"}, {"redis", "memory"}):
        found = tiers.reader.read(tiers.connection, tiers.contract, FIVE, until, count=10)
        assert ((), until, tiers.expected(FIVE, until)[-10:]) == (found.gaps, found.as_of, found.bars.to_bars())
        assert found.source in sources
    for _ in range(2):
        found = tiers.reader.read(tiers.connection, tiers.contract, FIVE, until, count=20)
        assert ("postgres", (hole,)) == (found.source, found.gaps)
    assert tiers.read(FIVE, until, 10)[0] in {"redis", "memory"}


def test_bars_are_complete_up_to_the_first_of_the_sessions_that_are_missing(tiers: Tiers) -> None:
    whole, until = BEGINS + 600 * MINUTE, BEGINS + timedelta(days=2, minutes=30)
    tiers.store(make_bars(600), whole)
    found = tiers.reader.read(tiers.connection, tiers.contract, FIVE, until, since=BEGINS)

    assert (2, whole) == (len(found.gaps), found.as_of)


def set_aside(tiers: Tiers, start: datetime) -> None:
    """Let a record of a minute be one that cannot be a bar."""
    rejected_bars.record(tiers.connection, MNQ, [RejectedBar(start, "no bar", f"{start:%H:%M}")])


def test_a_complete_minute_of_which_a_record_was_set_aside_is_a_gap_until_it_has_a_bar(tiers: Tiers) -> None:
    until, minute = BEGINS + 600 * MINUTE, Span(BEGINS + 583 * MINUTE, BEGINS + 584 * MINUTE)
    made = make_bars(600, seed=2)
    tiers.store([bar for bar in made if bar.start != minute.start], until)
    set_aside(tiers, minute.start + timedelta(seconds=30))
    set_aside(tiers, tiers.bars[-1].start)
    for _ in range(2):
        found = tiers.reader.read(tiers.connection, tiers.contract, FIVE, until, count=10)
        assert ("postgres", (minute,), (minute,)) == (found.source, found.gaps, found.set_aside)
    tiers.store([bar for bar in made if bar.start == minute.start], until)

    assert ("postgres", tiers.expected(FIVE, until)[-10:]) == tiers.read(FIVE, until)
    assert tiers.read(FIVE, until)[0] in {"redis", "memory"}


def test_a_minute_of_which_a_record_was_set_aside_is_added_to_nothing(tiers: Tiers) -> None:
    before, until = BEGINS + 600 * MINUTE, BEGINS + 605 * MINUTE
    minute = Span(before + 2 * MINUTE, before + 3 * MINUTE)
    made = [bar for bar in make_bars(605) if bar.start != minute.start]
    tiers.store([bar for bar in made if bar.start < before], before)
    tiers.read(FIVE, before)
    tiers.store(made, until)
    set_aside(tiers, minute.start)
    tiers.reader.refresh(tiers.connection, tiers.contract, until)

    found = tiers.reader.read(tiers.connection, tiers.contract, FIVE, until, count=10)
    assert ("postgres", (minute,)) == (found.source, found.set_aside)
