"""A flatten ends only when the venue confirms flat: through outages, lost answers, orders in flight, dead workers."""

import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from shared.db.accounts import halts
from shared.ledger.jobs.orders import PlaceOrder
from tests.fixtures.program_env import make_program_env
from tests.fixtures.resting_orders import list_working_orders, place_resting_limit
from tests.fixtures.venue import MES, MNQ
from tests.fixtures.worker_env import WorkerEnv

CLOSE = "/api/Position/closeContract"
CANCEL = "/api/Order/cancel"
PLACE = "/api/Order/place"
ENTRY = "SELECT state, reason FROM orders WHERE role = 'ENTRY' ORDER BY id"


def is_flat(worker_env: WorkerEnv) -> bool:
    return 0 == worker_env.venue.position(MNQ) == worker_env.venue.position(MES) and [] == list_working_orders(
        worker_env
    )


def test_flatten_closes_positions_and_cancels_orders_of_every_contract(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=2, take_profit_ticks=800)
    worker_env.run_due_jobs()
    worker_env.venue.trade(contractId=MES)
    place_resting_limit(worker_env)
    job = worker_env.flatten(reason="enough")
    worker_env.run_due_jobs()

    assert ("succeeded", "flat: no position, no working order") == (
        worker_env.job(job)[0],
        worker_env.job(job)[1]["venue_status"],
    )
    assert is_flat(worker_env)
    assert [] == worker_env.rows(
        "SELECT id FROM orders WHERE state IN ('CREATED', 'SUBMITTING', 'WORKING', 'SUSPENDED')"
    )
    assert [(True,)] == worker_env.rows("SELECT flat_at IS NOT NULL FROM flatten_request")
    assert [] == worker_env.rows("SELECT 1 FROM position WHERE quantity <> 0")


def test_flatten_of_one_contract_leaves_the_others_alone(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.venue.trade(contractId=MES)
    worker_env.flatten(MNQ)
    worker_env.run_due_jobs()

    assert 0 == worker_env.venue.position(MNQ)
    assert 1 == worker_env.venue.position(MES)


def test_a_flat_account_needs_only_the_venues_confirmation(worker_env: WorkerEnv) -> None:
    job = worker_env.flatten()
    worker_env.run_due_jobs()

    assert "succeeded" == worker_env.job(job)[0]
    assert [] == worker_env.venue.requests(CLOSE)


def test_orders_are_cancelled_although_no_position_is_held(worker_env: WorkerEnv) -> None:
    place_resting_limit(worker_env)
    worker_env.flatten()
    worker_env.run_due_jobs()

    assert [] == list_working_orders(worker_env)


@pytest.mark.parametrize("path", [CLOSE, CANCEL])
@pytest.mark.parametrize("kind", ["lose_before", "lose_answer_after", "status"])
def test_a_lost_answer_neither_ends_a_flatten_nor_reverses_the_position(
    worker_env: WorkerEnv, path: str, kind: str
) -> None:
    worker_env.entry_alert(take_profit_ticks=800)
    worker_env.run_due_jobs()
    place_resting_limit(worker_env)
    worker_env.venue.faults(path=path, kind=kind, count=2)
    worker_env.flatten()
    worker_env.run_due_jobs()

    assert is_flat(worker_env)


def test_a_flatten_retries_during_an_outage_and_reports_its_progress(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    job = worker_env.flatten()
    worker_env.venue.kill()
    for _ in range(3):
        worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
        worker_env.runner.run(job)

    assert "queued" == worker_env.job(job)[0]
    ((progress, flat_at),) = worker_env.rows("SELECT progress, flat_at FROM flatten_request")
    assert "the venue could not be asked" in progress
    assert flat_at is None
    worker_env.venue.start()
    worker_env.run_due_jobs()
    assert "succeeded" == worker_env.job(job)[0]
    assert is_flat(worker_env)


def test_an_outage_is_never_mistaken_for_flat(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    job = worker_env.flatten()
    worker_env.venue.faults(path="/api/Position/searchOpen", kind="null_list", count=3)
    worker_env.runner.run(job)

    assert "queued" == worker_env.job(job)[0]
    worker_env.venue.remove_faults()
    worker_env.run_due_jobs()
    assert is_flat(worker_env)


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_does_not_end_a_flatten(worker_env: WorkerEnv, status: int) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    job = worker_env.flatten()
    worker_env.venue.faults(path="/api/Position/searchOpen", kind="status", status=status)
    worker_env.runner.run(job)

    assert "queued" == worker_env.job(job)[0]
    assert "the venue refuses the request" in worker_env.rows("SELECT progress FROM flatten_request")[0][0]
    worker_env.run_due_jobs()
    assert is_flat(worker_env)


def test_the_watch_enqueues_a_flatten_again_whose_job_was_lost(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    job = worker_env.flatten()
    worker_env.execute(f"UPDATE job SET state = 'dead', error = 'lost', finished_at = now() WHERE id = '{job}'")
    worker_env.execute(
        "UPDATE flatten_request SET requested_at = now() + interval '1 hour'"
    )  # just now, even on a slow machine
    worker_env.watch()
    assert [] == worker_env.rows("SELECT 1 FROM job WHERE name = 'orders.flatten' AND state = 'queued'")
    worker_env.execute("UPDATE flatten_request SET requested_at = now() - interval '10 seconds'")
    for _ in range(2):
        worker_env.watch()

    assert 1 == len(worker_env.rows("SELECT 1 FROM job WHERE name = 'orders.flatten' AND state = 'queued'"))
    worker_env.run_due_jobs()
    assert is_flat(worker_env)


def test_an_incomplete_answer_is_not_mistaken_for_flat(worker_env: WorkerEnv) -> None:
    worker_env.venue.faults(path="/api/Order/searchOpen", kind="stale_search_open", count=2)
    list_working_orders(worker_env)
    place_resting_limit(worker_env)
    job = worker_env.flatten()
    worker_env.run_due_jobs()

    assert "succeeded" == worker_env.job(job)[0]
    assert is_flat(worker_env)


def test_an_unsent_entry_is_cancelled_and_never_sent(worker_env: WorkerEnv) -> None:
    worker_env.venue.kill()
    worker_env.entry_alert()
    worker_env.runner.run(worker_env.rows("SELECT id FROM job WHERE name = 'alerts.handle_alert'")[0][0])
    assert [("CREATED", None)] == worker_env.rows(ENTRY)
    worker_env.venue.start()
    worker_env.runner.run(worker_env.flatten())
    worker_env.run_due_jobs()

    assert ["CANCELLED"] == [state for state, _ in worker_env.rows(ENTRY)]
    assert [] == worker_env.venue.requests(PLACE)


def test_a_flatten_waits_for_an_entry_in_doubt(worker_env: WorkerEnv) -> None:
    worker_env.venue.faults(path=PLACE, kind="lose_answer_after")
    worker_env.runner.run(worker_env.entry_alert())
    assert ["IN_DOUBT"] == [state for state, _ in worker_env.rows(ENTRY)]
    worker_env.flatten()
    worker_env.run_due_jobs()

    assert is_flat(worker_env)


def test_complaint_3_an_entry_claimed_before_a_halt_is_stopped_by_it(worker_env: WorkerEnv) -> None:
    """The halt is read in the transaction that makes the order SUBMITTING, not only when the entry was checked."""
    worker_env.entry_alert(quantity=1)
    job = worker_env.rows("SELECT id FROM job WHERE name = 'alerts.handle_alert'")[0][0]
    worker_env.venue.kill()
    worker_env.runner.run(job)
    worker_env.venue.start()
    with worker_env.ledger.engine.begin() as connection:
        assert [worker_env.venue.account_id] == halts.halt(connection, "enough for today")
    worker_env.run_due_jobs()

    assert [("DENIED", "the account is halted: enough for today")] == worker_env.rows(ENTRY)
    assert [] == worker_env.venue.requests(PLACE)
    assert [("halted", "enough for today")] == worker_env.rows("SELECT kind, message FROM account_event")


def test_a_halted_account_enters_nothing_closes_all_and_enters_again_once_resumed(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    with worker_env.ledger.engine.begin() as connection:
        halts.halt(connection, "lunch", worker_env.venue.account_id)
    refused = worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.flatten()
    worker_env.run_due_jobs()

    assert "is halted: lunch" in (worker_env.job(refused)[2] or "")
    assert is_flat(worker_env)
    with worker_env.ledger.engine.begin() as connection:
        halts.resume(connection, "back", worker_env.venue.account_id)
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    assert 1 == worker_env.venue.position(MNQ)


def test_an_entry_waits_for_a_flatten_of_its_contract_and_is_denied_during_one_of_its_account(
    worker_env: WorkerEnv,
) -> None:
    worker_env.flatten(MNQ)
    waiting = worker_env.entry_alert()
    worker_env.runner.run(waiting)
    assert "an exit that was received before is closing in" in (worker_env.job(waiting)[2] or "")
    assert "queued" == worker_env.job(waiting)[0]
    worker_env.run_due_jobs()
    assert "succeeded" == worker_env.job(waiting)[0]

    worker_env.flatten(reason="the red button")
    refused = worker_env.entry_alert()
    worker_env.runner.run(refused)
    assert "it is being flattened: the red button" in (worker_env.job(refused)[2] or "")


def test_one_process_runs_a_job_to_its_end_without_any_worker(worker_env: WorkerEnv, tmp_path: Path) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    job = worker_env.flatten()
    done = run_one_shot(worker_env, job, tmp_path)

    assert 0 == done.returncode, done.stderr
    assert "succeeded" in done.stdout
    assert is_flat(worker_env)


def test_one_process_reports_a_refused_job_and_its_usage(worker_env: WorkerEnv, tmp_path: Path) -> None:
    refused = worker_env.enqueue(PlaceOrder(order_id=UUID(int=1)))
    done = run_one_shot(worker_env, refused, tmp_path)

    assert 1 == done.returncode
    assert "does not exist" in done.stdout
    usage = subprocess.run(
        [sys.executable, "-m", "workers.run_job", "nonsense"],
        env=make_program_env(worker_env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "usage: python -m workers.run_job JOB_ID" in usage.stderr


def run_one_shot(worker_env: WorkerEnv, job: UUID, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "workers.run_job", str(job)],
        env=make_program_env(worker_env) | {"TICKWORK_HOME": str(folder / "one_shot")},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
