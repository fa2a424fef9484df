"""Exits that close a part of a position: never more than is held, and never sent twice."""

from datetime import timedelta

import pytest

from shared.clock import machine_now
from shared.domain.orders.order import Direction
from shared.ledger.jobs.orders import ReducePosition
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

PLACE = "/api/Order/place"


def test_an_exit_closes_a_part_of_a_position_and_never_more_than_is_held(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=3)
    worker_env.run_due_jobs()
    account_id = worker_env.venue.account_id
    worker_env.run(ReducePosition(account_id=account_id, contract_id=MNQ, quantity=2))
    assert 1 == worker_env.venue.position(MNQ)
    worker_env.run(ReducePosition(account_id=account_id, contract_id=MNQ, quantity=5))
    assert 0 == worker_env.venue.position(MNQ)

    status, _, error = worker_env.run(ReducePosition(account_id=account_id, contract_id=MNQ, quantity=1))
    assert ("failed", True) == (status, "holds nothing of" in (error or ""))


@pytest.mark.parametrize("direction", [Direction.LONG, Direction.SHORT], ids=["same side", "other side"])
def test_a_partial_exit_that_is_late_takes_nothing_of_a_later_position(
    worker_env: WorkerEnv, direction: Direction
) -> None:
    """It may wait long: for another exit, or for the venue. What is held then may be a person's."""
    account_id = worker_env.venue.account_id
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    an_hour_ago = machine_now() - timedelta(hours=1)
    late = ReducePosition(
        account_id=account_id, contract_id=MNQ, quantity=1, direction=direction, requested_at=an_hour_ago
    )
    state, result, _ = worker_env.run(late)

    assert ("succeeded", 2) == (state, worker_env.venue.position(MNQ))
    assert ("opened after" if direction is Direction.LONG else "is LONG by now") in result["nothing_to_do"]


def test_an_exit_in_doubt_is_never_sent_again(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    worker_env.venue.faults(path=PLACE, kind="lose_before")
    worker_env.runner.run(
        worker_env.enqueue(ReducePosition(account_id=worker_env.venue.account_id, contract_id=MNQ, quantity=1))
    )
    worker_env.execute("UPDATE orders SET submitted_at = submitted_at - interval '16 seconds' WHERE role = 'EXIT'")
    sent = len(worker_env.venue.requests(PLACE))
    worker_env.run_due_jobs()

    assert [("EXPIRED",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'EXIT'")
    assert sent == len(worker_env.venue.requests(PLACE))
    assert 2 == worker_env.venue.position(MNQ)


def test_an_unsent_exit_is_placed_again_only_after_the_position_is_read(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    worker_env.venue.faults(path=PLACE, kind="status", status=401)
    worker_env.runner.run(
        worker_env.enqueue(ReducePosition(account_id=worker_env.venue.account_id, contract_id=MNQ, quantity=1))
    )
    assert [("CANCELLED",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'EXIT'")
    worker_env.venue.close_position()
    worker_env.run_due_jobs()

    assert 0 == worker_env.venue.position(MNQ)
    (error,) = [row[0] for row in worker_env.rows("SELECT error FROM job WHERE state = 'failed'")]
    assert "holds nothing of" in error


def test_an_unsent_exit_is_sent_once_the_venue_accepts_it(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    worker_env.venue.faults(path=PLACE, kind="status", status=401)
    worker_env.run(ReducePosition(account_id=worker_env.venue.account_id, contract_id=MNQ, quantity=1))

    assert ["CANCELLED", "FILLED"] == [
        row[0] for row in worker_env.rows("SELECT state FROM orders WHERE role = 'EXIT' ORDER BY id")
    ]
    assert 1 == worker_env.venue.position(MNQ)
