"""An entry whose first call had no clear answer may be at the venue, whatever keeps it from being sent again."""

from collections.abc import Callable
from uuid import UUID

import pytest

from shared.ledger.jobs.orders import ReconcileAccounts
from tests.fixtures.alert_steps import run_next
from tests.fixtures.entries import ENTRY, PLACE, age_in_doubt_order, tags_at_venue
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.orders.test_order_changes import request_change

ENTRY_STATE = "SELECT state, reason, in_doubt_at IS NOT NULL FROM orders WHERE role = 'ENTRY'"
HALT = "UPDATE account SET halted_at = now(), halt_reason = 'lunch'"


def create_again(worker_env: WorkerEnv) -> None:
    """Leave an entry to be sent again: its first call was lost, and no search has found it."""
    worker_env.venue.faults(path=PLACE, kind="lose_before")
    worker_env.runner.run(worker_env.entry_alert())
    age_in_doubt_order(worker_env)
    ((job_id,),) = worker_env.rows("SELECT id FROM job WHERE name = 'orders.resolve_in_doubt_order'")
    run_next(worker_env, job_id)
    assert ["CREATED"] == [row[0] for row in worker_env.rows(ENTRY)]


def leave_unsent(worker_env: WorkerEnv) -> None:
    """Leave an entry that was certainly not sent: the venue refused the connection."""
    job_id: UUID = worker_env.entry_alert()
    worker_env.venue.kill()
    worker_env.runner.run(job_id)
    worker_env.venue.start()
    assert ["CREATED"] == [row[0] for row in worker_env.rows(ENTRY)]


def stop_by_halt(worker_env: WorkerEnv) -> None:
    worker_env.execute(HALT)
    worker_env.run_due_jobs()


def stop_by_flatten(worker_env: WorkerEnv) -> None:
    run_next(worker_env, worker_env.flatten(MNQ))
    worker_env.run_due_jobs()


def stop_by_cancel(worker_env: WorkerEnv) -> None:
    ((order_id,),) = worker_env.rows("SELECT id FROM orders WHERE role = 'ENTRY'")
    _, job_id = request_change(worker_env, order_id)
    run_next(worker_env, job_id)
    worker_env.run_due_jobs()


def test_the_reason_of_the_doubt_is_none_of_an_entry_that_the_venue_shows_filled(worker_env: WorkerEnv) -> None:
    worker_env.venue.faults(path=PLACE, kind="lose_answer_after")
    worker_env.runner.run(worker_env.entry_alert())
    ((state, told, _),) = worker_env.rows(ENTRY_STATE)
    assert ("IN_DOUBT", True) == (state, "no answer came" in told)
    age_in_doubt_order(worker_env)
    worker_env.run(ReconcileAccounts())

    assert [("FILLED", None, True)] == worker_env.rows(ENTRY_STATE)


def test_an_entry_that_is_to_be_sent_again_has_no_reason_of_the_doubt(worker_env: WorkerEnv) -> None:
    create_again(worker_env)

    assert [("CREATED", None, True)] == worker_env.rows(ENTRY_STATE)


STOPS = [
    (stop_by_halt, "DENIED", "halted: lunch"),
    (stop_by_flatten, "CANCELLED", "flattened: a test"),
    (stop_by_cancel, "CANCELLED", "cancelled"),
]


@pytest.mark.parametrize(("stop", "never_sent", "reason"), STOPS, ids=["halt", "flatten", "cancel"])
def test_an_entry_that_was_in_doubt_expires_and_is_ours_again_when_the_venue_shows_it_late(
    worker_env: WorkerEnv, stop: Callable[[WorkerEnv], None], never_sent: str, reason: str
) -> None:
    create_again(worker_env)
    stop(worker_env)

    ((state, told, was_in_doubt),) = worker_env.rows(ENTRY_STATE)
    assert ("EXPIRED", True, True) == (state, reason in told, was_in_doubt), (never_sent, told)
    (tag,) = tags_at_venue(worker_env)
    worker_env.venue.trade(contractId=MNQ, side=0, size=1, customTag=tag)
    worker_env.run(ReconcileAccounts())
    assert [("FILLED", 1)] == [row[:2] for row in worker_env.rows(ENTRY)]
    assert [("FILLED", None, True)] == worker_env.rows(ENTRY_STATE)


@pytest.mark.parametrize(("stop", "never_sent", "reason"), STOPS, ids=["halt", "flatten", "cancel"])
def test_an_entry_that_was_certainly_not_sent_is_recorded_as_that(
    worker_env: WorkerEnv, stop: Callable[[WorkerEnv], None], never_sent: str, reason: str
) -> None:
    leave_unsent(worker_env)
    stop(worker_env)

    ((state, told, was_in_doubt),) = worker_env.rows(ENTRY_STATE)
    assert (never_sent, True, False) == (state, reason in told, was_in_doubt), told
    assert [] == tags_at_venue(worker_env)
