"""How much of what is held against an entry is still to be closed, if entries before it fill late."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.orders.reversal import CloseProgress

COUNT = st.integers(min_value=0, max_value=6)


@pytest.mark.parametrize(
    ("offset", "exited", "held", "late", "entered", "missing", "owed"),
    [
        (0, 0, 2, 0, 0, 2, 2),
        (0, 1, 1, 0, 0, 1, 1),
        (0, 2, 0, 0, 0, 0, 0),
        (0, 0, 2, 0, 1, 1, 2),  # one of two was sold and bought again by hand
        (1, 0, 2, 0, 0, 2, 2),
        (1, 2, 0, 0, 0, 0, 0),
        (1, 2, 1, 1, 0, 1, 1),  # it filled after the close
        (1, 0, 3, 1, 0, 3, 3),  # before it
        (1, 3, 0, 1, 0, 0, 0),
        (1, 2, 1, 0, 1, 0, 0),  # another entry filled, which is none of them
        (1, 2, 2, 1, 1, 1, 1),  # both
        (1, 3, 1, 1, 1, 0, 0),
        (1, 2, 1, 1, 1, 0, 1),  # a round trip by hand, or its bracket closed it: what is held may be newer
        (1, 0, 0, 0, 0, 0, 0),  # a stop closed all
        (1, 0, 3, 3, 0, 1, 3),  # and three came, of which the entry offsets one
        (1, 3, 2, 3, 0, 0, 0),  # and that is closed
        (1, 0, 1, 0, 1, 0, 1),
        (2, 3, 1, 1, 1, 0, 0),  # half of them filled and is closed, the other came by hand
    ],
)
def test_what_is_still_to_be_closed_of_two(
    *, offset: int, exited: int, held: int, late: int, entered: int, missing: int, owed: int
) -> None:
    found = CloseProgress(closing=2, offset=offset, exited=exited, held=held, late=late, entered=entered)

    assert (missing, owed) == (found.missing, found.owed)


@given(closing=COUNT, offset=COUNT, exited=COUNT, late=COUNT, entered=COUNT, closed_by_others=COUNT)
def test_no_close_exceeds_what_was_to_be_closed_or_takes_what_was_opened_later(  # as hypothesis draws them
    *, closing: int, offset: int, exited: int, late: int, entered: int, closed_by_others: int
) -> None:
    """Whatever others have closed, they may have closed what the entry was to close."""
    to_close = closing + min(offset, late)
    exited = min(exited, to_close)
    held = closing + late + entered - exited - closed_by_others
    found = CloseProgress(closing, offset, exited, held, late, entered)

    assert found.missing == max(0, min(to_close - exited - closed_by_others, held))
    assert found.missing <= found.owed
