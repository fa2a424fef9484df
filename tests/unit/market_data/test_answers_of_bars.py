"""What answers show of a contract's minutes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.bar_coverage import QUIET_FOR, BarCoverage
from shared.domain.market_data.coverage import Span, subtract, unite

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
ASKED = Span(NOW - 20 * MINUTE, NOW - 10 * MINUTE)
LONG = Span(NOW - timedelta(hours=6), NOW - 2 * MINUTE)
MINUTES = LONG.duration // MINUTE
AN_HOUR = QUIET_FOR // MINUTE


def at(minute: int) -> datetime:
    return LONG.start + minute * MINUTE


def answer(coverage: BarCoverage, minutes: list[int], later: int = 0) -> BarCoverage:
    """Return the coverage after an answer to LONG, some minutes later, with the bars of these minutes."""
    return coverage.add_answer(LONG, map(at, minutes), [LONG], NOW + later * MINUTE)


@pytest.mark.parametrize("is_second", [None, False], ids=["fetch", "backfill"])
@pytest.mark.parametrize(("seconds", "complete"), [(1, (0, 9)), (29, (0, 9)), (30, (0, 10))])
def test_two_answers_of_one_moment_confirm_nothing_fetch_or_backfill(
    *, is_second: bool | None, seconds: int, complete: tuple[int, int]
) -> None:
    starts = [ASKED.start + number * MINUTE for number in range(9)]
    first = BarCoverage(answered_market_at=NOW - timedelta(minutes=1)).add_answer(
        ASKED, starts, [ASKED], NOW, is_second=is_second
    )
    second = first.add_answer(ASKED, starts, [ASKED], NOW + timedelta(seconds=seconds))

    assert (Span(*(ASKED.start + number * MINUTE for number in complete)),) == second.complete


@pytest.mark.parametrize(
    ("minutes", "complete"),
    [
        ([], []),
        ([200, 201], [(200, 202 + AN_HOUR)]),
        ([0, 1, 2], [(0, 3 + AN_HOUR)]),
        ([300, 357], [(300, MINUTES)]),
        ([0, 200, MINUTES - 1], [(0, MINUTES)]),
    ],
    ids=["nothing", "the middle", "the beginning", "the end", "both ends"],
)
def test_answers_that_are_cut_alike_show_nothing_of_what_they_were_cut_by(
    minutes: list[int], complete: list[tuple[int, int]]
) -> None:
    found = answer(answer(BarCoverage(), minutes), minutes, later=1)

    assert tuple(Span(at(start), at(end)) for start, end in complete) == found.complete


def test_an_hour_of_open_market_after_the_newest_bar_counts_and_a_pause_is_not_part_of_it() -> None:
    opened = [Span(at(0), at(70)), Span(at(100), LONG.end)]
    found = BarCoverage()
    for later in range(2):
        found = found.add_answer(LONG, [at(0), at(39)], opened, NOW + later * MINUTE)

    assert (Span(at(0), at(100 + AN_HOUR - 30)),) == found.complete


def test_what_a_clock_that_was_ahead_has_shown_of_the_future_is_forgotten() -> None:
    ahead, until = timedelta(hours=3), NOW - 2 * MINUTE
    asked = Span(LONG.start, LONG.end + ahead)
    bars = [at(number) for number in range(MINUTES)]
    coverage = BarCoverage()
    for number in range(2):
        coverage = coverage.add_answer(asked, bars, [asked], NOW + ahead + number * MINUTE)
    assert (Span(LONG.start, LONG.end + QUIET_FOR),) == coverage.complete

    right = coverage.add_answer(LONG, bars, [LONG], NOW)
    assert ((Span(LONG.start, NOW),), (), NOW) == (right.complete, right.unconfirmed, right.answered_market_at)
    first = coverage.add_answer(LONG, bars[:-4] + bars[-1:], [LONG], NOW + MINUTE)
    assert until <= first.complete[-1].end <= NOW + MINUTE


def test_an_answer_that_came_by_a_clock_that_was_ahead_confirms_nothing() -> None:
    ahead = answer(BarCoverage(), [0, 5], later=60)
    right = answer(ahead, [0, 5])

    assert (Span(at(0), at(1)), Span(at(5), at(6))) == right.complete
    assert (Span(at(1), at(5)), Span(at(6), at(6 + AN_HOUR))) == right.unconfirmed


@given(st.sets(st.integers(1, MINUTES - 1)), st.lists(st.tuples(st.integers(0, MINUTES), st.integers(0, MINUTES))))
def test_whatever_was_cut_before_two_whole_answers_with_the_bar_before_complete_all_that_is_known(
    traded: set[int], cuts: list[tuple[int, int]]
) -> None:
    """The first minute is traded, as the bar that each question begins with; the last answers have every bar."""
    whole = sorted(traded | {0})
    coverage = BarCoverage()
    for number, (start, end) in enumerate(cuts):
        before = coverage
        coverage = answer(coverage, [minute for minute in whole if start <= minute < end], number)
        received = [minute for minute in whole if start <= minute < end]
        added = subtract(coverage.complete, before.complete)
        shown = [Span(at(received[0]), at(received[-1] + 1 + AN_HOUR))] if received else []
        assert () == subtract(added, shown)
    for number in range(2):
        coverage = answer(coverage, whole, len(cuts) + number)

    known = Span(at(0), min(at(whole[-1] + 1 + AN_HOUR), LONG.end))
    assert () == subtract([known], coverage.complete)
    assert () == unite(subtract(coverage.unconfirmed, [LONG]))
