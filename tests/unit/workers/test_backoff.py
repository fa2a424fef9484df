"""The pause before a retry."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from workers.recording import compute_pause

BASE, CAP = timedelta(seconds=0.5), timedelta(minutes=5)


def test_the_ceiling_is_the_time_of_all_failures_until_the_cap() -> None:
    ceilings = [
        compute_pause(timedelta(seconds=seconds), base=BASE, cap=CAP, fraction=1).total_seconds()
        for seconds in (0, 0.2, 1, 2, 256, 400, 1e6)
    ]

    assert [0.5, 0.5, 1, 2, 256, 300, 300] == ceilings


@given(st.timedeltas(timedelta(0), timedelta(days=30)), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_never_negative_and_never_above_the_cap(failing_for: timedelta, fraction: float) -> None:
    assert timedelta(0) <= compute_pause(failing_for, base=BASE, cap=CAP, fraction=fraction) <= CAP
