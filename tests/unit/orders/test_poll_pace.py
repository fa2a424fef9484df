"""How often the venue is asked for a change that does not come."""

from datetime import timedelta

import pytest

from shared.domain.orders.poll_pace import close_pause, poll_pause, resend_pause


@pytest.mark.parametrize(
    ("waited_s", "pause_s"), [(-3, 0.1), (0, 0.1), (0.1, 0.1), (0.4, 0.4), (1.9, 1.9), (2, 2), (600, 2)]
)
def test_the_pause_between_two_questions_doubles_up_to_two_seconds(waited_s: float, pause_s: float) -> None:
    assert timedelta(seconds=pause_s) == poll_pause(timedelta(seconds=waited_s))


@pytest.mark.parametrize(("sent_count", "pause_s"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 15), (1_000, 15)])
def test_the_pause_before_a_request_is_sent_again_doubles_up_to_fifteen_seconds(sent_count: int, pause_s: int) -> None:
    assert timedelta(seconds=pause_s) == resend_pause(sent_count)


@pytest.mark.parametrize(
    ("waited_s", "pause_s"),
    [(0, 1), (8, 2), (11.25, 2.8125), (12.5, 2.5), (14.5, 1), (15, 3.75), (60, 15), (3_000, 15)],
)
def test_a_close_is_requested_again_ever_less_often_and_at_the_time_from_which_it_is_flattened(
    waited_s: float, pause_s: float
) -> None:
    assert timedelta(seconds=pause_s) == close_pause(timedelta(seconds=waited_s), timedelta(seconds=15))
