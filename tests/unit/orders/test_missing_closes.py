"""How much of what is held against an entry is still to be closed, if entries before it fill late."""

import pytest

from shared.domain.orders.reversal import count_missing


@pytest.mark.parametrize(
    ("offset", "exited", "held", "arrived", "entered_later", "missing"),
    [
        (0, 0, 2, 0, 0, 2),
        (0, 1, 1, 0, 0, 1),
        (0, 2, 0, 0, 0, 0),
        (1, 0, 2, 0, 0, 2),
        (1, 2, 0, 0, 0, 0),
        (1, 2, 1, 1, 0, 1),  # it filled after the close
        (1, 0, 3, 1, 0, 3),  # before it
        (1, 3, 0, 1, 0, 0),
        (1, 2, 1, 0, 0, 0),  # a resting entry of before filled, which is none of them
        (1, 2, 1, 0, 1, 0),  # a later one
        (1, 2, 2, 1, 1, 1),  # both
        (1, 0, 0, 0, 0, 0),  # a stop closed all
        (1, 0, 3, 3, 0, 1),  # and three came, of which the entry offsets one
        (1, 0, 1, 0, 1, 0),
        (2, 3, 1, 1, 0, 0),  # half of them filled and is closed, the other came by hand
    ],
)
def test_what_is_still_to_be_closed_of_two(
    *, offset: int, exited: int, held: int, arrived: int, entered_later: int, missing: int
) -> None:
    found = count_missing(
        closing=2, offset=offset, exited=exited, held=held, arrived=arrived, entered_later=entered_later
    )

    assert missing == found
