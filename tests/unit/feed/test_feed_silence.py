"""What is done about a contract that has gone silent; pure."""

from itertools import pairwise

from workers.feed.silence import Silence

OPEN = {"A": True, "B": True}


def test_a_contract_that_speaks_or_is_out_of_session_is_left_alone() -> None:
    silence = Silence()

    assert [] == silence.look({"A": 100.0, "B": 75.0}, OPEN, 105.0)
    assert [] == silence.look({"A": 100.0, "B": 0.0}, {"A": True, "B": False}, 105.0)


def test_a_silent_one_is_subscribed_again_first_and_asked_about_by_rest_then() -> None:
    silence = Silence()

    assert [("B", False)] == silence.look({"A": 100.0, "B": 60.0}, OPEN, 100.0)
    assert [] == silence.look({"A": 110.0, "B": 60.0}, OPEN, 120.0)
    assert [("B", True)] == silence.look({"A": 130.0, "B": 60.0}, OPEN, 131.0)


def test_what_does_not_help_is_done_ever_less_often_and_begins_anew_after_a_word() -> None:
    silence = Silence()
    looks = [now for now in range(100, 4000) if silence.look({"B": 0.0}, OPEN, float(now))]
    assert [30, 60, 120, 240, 480, 600] == [after - before for before, after in pairwise(looks)][:6]
    silence.look({"B": 4000.0}, OPEN, 4000.0)

    assert [("B", False)] == silence.look({"B": 4000.0}, OPEN, 4031.0)
