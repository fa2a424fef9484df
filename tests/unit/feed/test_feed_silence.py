"""Attempts to recover a contract that has gone silent; pure."""

from itertools import pairwise

from workers.feed.silence import Silence

OPEN = {"A": True, "B": True}


def test_a_contract_with_data_or_out_of_session_is_not_due() -> None:
    silence = Silence()

    assert [] == silence.find_due_contracts({"A": 100.0, "B": 75.0}, OPEN, 105.0)
    assert [] == silence.find_due_contracts({"A": 100.0, "B": 0.0}, {"A": True, "B": False}, 105.0)


def test_a_silent_contract_is_subscribed_again_first_and_checked_by_rest_later() -> None:
    silence = Silence()

    assert [("B", False)] == silence.find_due_contracts({"A": 100.0, "B": 60.0}, OPEN, 100.0)
    assert [] == silence.find_due_contracts({"A": 110.0, "B": 60.0}, OPEN, 120.0)
    assert [("B", True)] == silence.find_due_contracts({"A": 130.0, "B": 60.0}, OPEN, 131.0)


def test_attempts_become_less_frequent_and_start_over_after_new_data() -> None:
    silence = Silence()
    attempts = [now for now in range(100, 4000) if silence.find_due_contracts({"B": 0.0}, OPEN, float(now))]
    assert [30, 60, 120, 240, 480, 600] == [after - before for before, after in pairwise(attempts)][:6]
    silence.find_due_contracts({"B": 4000.0}, OPEN, 4000.0)

    assert [("B", False)] == silence.find_due_contracts({"B": 4000.0}, OPEN, 4031.0)
