"""The pause before a retry."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from workers.recording import compute_pause

BASE, CAP = timedelta(seconds=0.5), timedelta(minutes=5)


def test_the_ceiling_doubles_until_the_cap() -> None:
    ceilings = [
        compute_pause(attempt, base=BASE, cap=CAP, fraction=1).total_seconds() for attempt in (1, 2, 3, 10, 11, 500)
    ]

    assert [0.5, 1, 2, 256, 300, 300] == ceilings


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_never_negative_and_never_above_the_cap(attempt: int, fraction: float) -> None:
    assert timedelta(0) <= compute_pause(attempt, base=BASE, cap=CAP, fraction=fraction) <= CAP
