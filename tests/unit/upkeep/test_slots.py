"""The due slots of a schedule entry."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.upkeep.slots import MAX_CAUGHT_UP, MAX_SKIPPED, Missed, SlotPlan, plan, slot_at

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_the_first_plan_runs_the_current_slot() -> None:
    assert SlotPlan(NOON) == plan(NOON + timedelta(seconds=20), MINUTE, None, Missed.RUN_ONCE)


def test_a_processed_slot_is_not_due_again() -> None:
    assert SlotPlan(None) == plan(NOON + timedelta(seconds=59), MINUTE, NOON, Missed.RUN_ONCE)


def test_after_a_pause_the_newest_slot_runs_and_the_others_are_skipped() -> None:
    expected = SlotPlan(NOON + 3 * MINUTE, (NOON + MINUTE, NOON + 2 * MINUTE))

    assert expected == plan(NOON + 3 * MINUTE, MINUTE, NOON, Missed.RUN_ONCE)


def test_an_entry_that_skips_waits_for_the_next_slot() -> None:
    expected = SlotPlan(None, (NOON + MINUTE, NOON + 2 * MINUTE))

    assert expected == plan(NOON + 2 * MINUTE, MINUTE, NOON, Missed.SKIP)


def test_an_entry_that_catches_up_runs_the_oldest_missed_slot() -> None:
    assert SlotPlan(NOON + MINUTE) == plan(NOON + 9 * MINUTE, MINUTE, NOON, Missed.CATCH_UP)


def test_a_pause_of_a_year_records_a_limited_number_of_skipped_slots() -> None:
    assert MAX_SKIPPED == len(plan(NOON + timedelta(days=365), MINUTE, NOON, Missed.RUN_ONCE).skipped)


def test_after_a_clock_that_was_set_back_the_schedule_goes_on_from_now() -> None:
    for missed in Missed:
        found = plan(NOON, MINUTE, NOON + timedelta(hours=5), missed)

        assert SlotPlan(NOON, stepped_back_by=timedelta(hours=5)) == found


def test_a_clock_that_is_behind_by_a_period_or_less_waits() -> None:
    assert SlotPlan(None) == plan(NOON, MINUTE, NOON + MINUTE, Missed.RUN_ONCE)


def test_a_period_made_longer_is_no_clock_set_back() -> None:
    assert SlotPlan(None) == plan(NOON + 40 * MINUTE, timedelta(hours=1), NOON + 37 * MINUTE, Missed.RUN_ONCE)


def test_a_clock_that_is_set_ahead_runs_no_flood_of_slots() -> None:
    last, runs = NOON, 0
    while (found := plan(NOON + timedelta(days=365), MINUTE, last, Missed.CATCH_UP)).run is not None:
        assert len(found.skipped) <= MAX_SKIPPED
        last, runs = found.run, runs + 1

    assert (MAX_CAUGHT_UP, NOON + timedelta(days=365)) == (runs, last)


@given(
    st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.integers(1, 86_400),
    st.integers(0, 500),
)
def test_no_slot_is_both_run_and_skipped_or_in_the_future(now: datetime, seconds: int, behind: int) -> None:
    every = timedelta(seconds=seconds)
    last = slot_at(now, every) - behind * every
    result = plan(now, every, last, Missed.RUN_ONCE)

    slots = [*result.skipped, *([result.run] if result.run else [])]
    assert sorted(set(slots)) == slots
    assert all(last < slot <= now for slot in slots)
