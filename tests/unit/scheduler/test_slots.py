"""The due slots of a schedule entry."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scheduler.slots import MAX_SKIPPED, Missed, SlotPlan, plan, slot_at

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
