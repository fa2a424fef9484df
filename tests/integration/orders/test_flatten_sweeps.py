"""A flatten closes first and by what it knows: without lists of orders, beside other flattens, through locked rows."""

import subprocess
import sys
from typing import Any
from uuid import UUID

import psycopg
import pytest

from shared.ledger.jobs.orders import ReducePosition
from tests.fixtures.program_env import make_program_env
from tests.fixtures.resting_orders import list_working_orders, place_resting_limit
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from workers.orders.submit import SubmitResult, submit_order

CLOSE = "/api/Position/closeContract"
QUERY = "/api/Order/v2/query"
POSITIONS = "/api/Position/searchOpen"
EXITS = "SELECT side, sum(quantity) FROM fill GROUP BY side ORDER BY side"
EXITING = (
    "INSERT INTO orders (id, account_id, contract_id, origin, role, side, type, quantity, state, correlation_id,"
    " submitted_at) VALUES (gen_random_uuid(), 20001, '{}', 'alert', 'EXIT', 'SELL', 'MARKET', 2, 'SUBMITTING',"
    " gen_random_uuid(), now() - interval '3 s')"
)
MINUTE_AGO = (
    "UPDATE orders SET submitted_at = now() - interval '1 minute', in_doubt_at = now() - interval '1 minute'"
    " WHERE role = 'EXIT'"
)


@pytest.fixture
def holding(worker_env: WorkerEnv) -> WorkerEnv:
    """Hold two contracts that an alert bought, with their bracket."""
    worker_env.entry_alert(quantity=2, take_profit_ticks=800)
    worker_env.run_due_jobs()
    assert 2 == worker_env.venue.position()
    return worker_env


def run_beside_each_other(worker_env: WorkerEnv, *jobs: UUID) -> None:
    """Run each job in a process of its own, all at once."""
    processes = [
        subprocess.Popen([sys.executable, "-m", "workers.run_job", str(job)], env=make_program_env(worker_env))
        for job in jobs
    ]
    for process in processes:
        process.wait(100)


def test_flattens_of_several_causes_at_once_never_reverse_the_position(holding: WorkerEnv) -> None:
    holding.venue.control("PUT", "behaviour", {"serialises_closes": False})
    holding.venue.faults(path=CLOSE, kind="delay_before", seconds=3, count=3)  # while which the others run too
    jobs = [holding.flatten(MNQ, "an alert"), holding.flatten(None, "the watch"), holding.flatten(MNQ, "the guard")]
    run_beside_each_other(holding, *jobs)
    holding.run_due_jobs()

    assert [MNQ] == [one["contractId"] for one in holding.venue.requests(CLOSE)]
    assert 0 == holding.venue.position()
    assert [("BUY", 2), ("SELL", 2)] == holding.rows(EXITS)
    assert [("succeeded",)] * 3 == holding.rows("SELECT state FROM job WHERE name = 'orders.flatten'")


def test_a_flatten_ends_those_that_it_includes(holding: WorkerEnv) -> None:
    first, second = holding.flatten(None, "the watch"), holding.flatten(MNQ, "an alert")
    holding.runner.run(first)
    asked_before = len(holding.venue.requests(POSITIONS))
    holding.runner.run(second)

    assert [(True,)] * 2 == holding.rows("SELECT flat_at IS NOT NULL FROM flatten_request")
    assert ("succeeded", {"venue_status": "flat: no position, no working order"}, None) == holding.job(second)
    assert asked_before == len(holding.venue.requests(POSITIONS))


def test_a_flatten_joins_one_that_is_at_work_and_goes_on_alone_when_that_one_stops(holding: WorkerEnv) -> None:
    at_work, joins = holding.flatten(MNQ, "an alert"), holding.flatten(MNQ, "the guard")
    holding.execute(f"UPDATE flatten_request SET swept_at = now() WHERE id = {request_of(at_work)}")
    holding.runner.run(joins)
    assert "joined flatten request" in (holding.job(joins)[2] or "")
    assert 2 == holding.venue.position()

    holding.execute(
        f"UPDATE flatten_request SET swept_at = now() - interval '1 minute' WHERE id = {request_of(at_work)}"
    )
    holding.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    holding.runner.run(joins)
    assert 0 == holding.venue.position()


def request_of(job: UUID) -> str:
    return f"(SELECT (arguments ->> 'flatten_request_id')::uuid FROM job WHERE id = '{job}')"


def test_a_position_is_closed_and_its_entry_cancelled_while_the_venue_lists_no_orders(holding: WorkerEnv) -> None:
    place_resting_limit(holding)
    holding.run_startup_jobs()  # which adopts the order
    job = holding.flatten()
    holding.venue.faults(path=QUERY, kind="status", status=500, count=1_000)
    holding.runner.run(job)

    assert 0 == holding.venue.position()
    assert "queued" == holding.job(job)[0]
    holding.venue.remove_faults()
    assert [] == [one for one in list_working_orders(holding) if one["customTag"] == "by-hand"]
    holding.run_due_jobs()
    assert "succeeded" == holding.job(job)[0]


def test_a_position_is_closed_by_our_own_rows_while_the_venue_lists_no_positions(holding: WorkerEnv) -> None:
    job = holding.flatten()
    holding.venue.faults(path=POSITIONS, kind="status", status=500, count=1_000)
    holding.runner.run(job)

    assert [MNQ] == [one["contractId"] for one in holding.venue.requests(CLOSE)]
    assert "queued" == holding.job(job)[0]
    holding.venue.remove_faults()
    holding.run_due_jobs()
    assert "succeeded" == holding.job(job)[0]


def test_an_entry_is_cancelled_while_a_leg_waits_for_the_list_of_positions(holding: WorkerEnv) -> None:
    place_resting_limit(holding)
    holding.run_startup_jobs()  # which adopts the order
    job = holding.flatten()
    holding.execute("UPDATE position SET direction = 'FLAT', quantity = 0")  # our rows lag
    holding.venue.faults(path=POSITIONS, kind="status", status=500, count=1_000)
    holding.runner.run(job)
    holding.venue.remove_faults()

    working = list_working_orders(holding)
    assert [] == [one for one in working if one["customTag"] == "by-hand"]
    assert 2 == len(working)  # the stop and the target of the position
    holding.run_due_jobs()
    assert "succeeded" == holding.job(job)[0]


def test_a_position_is_closed_while_another_session_locks_the_account_and_its_orders(holding: WorkerEnv) -> None:
    job = holding.flatten()
    with psycopg.connect(holding.settings.require_database(), application_name="psql") as session:
        session.execute("SELECT 1 FROM account FOR UPDATE")
        session.execute("SELECT 1 FROM orders FOR UPDATE")
        session.execute("SELECT 1 FROM position FOR UPDATE")
        holding.runner.run(job)
        assert 0 == holding.venue.position()
        assert "queued" == holding.job(job)[0]
        session.rollback()

    holding.run_due_jobs()
    assert "succeeded" == holding.job(job)[0]


def test_a_429_that_names_minutes_does_not_keep_a_position_open(holding: WorkerEnv) -> None:
    holding.venue.faults(path=POSITIONS, kind="status", status=429, retry_after=300)
    holding.flatten()
    holding.run_due_jobs()

    assert 0 == holding.venue.position()
    assert [("succeeded",)] == holding.rows("SELECT state FROM job WHERE name = 'orders.flatten'")


def test_a_flatten_gives_an_exit_that_is_on_its_way_time_to_fill(holding: WorkerEnv) -> None:
    holding.venue.faults(path="/api/Order/place", kind="lose_before")
    account_id = holding.venue.account_id
    reduction = holding.enqueue(ReducePosition(account_id=account_id, contract_id=MNQ, quantity=1))
    holding.runner.run(reduction)
    holding.execute("UPDATE orders SET in_doubt_at = now() + interval '1 second' WHERE role = 'EXIT'")
    flatten = holding.flatten()
    holding.runner.run(flatten)
    assert f"an exit of {MNQ} is on its way" in (holding.job(flatten)[2] or "")
    assert [] == holding.venue.requests(CLOSE)

    holding.execute(MINUTE_AGO)
    holding.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    holding.runner.run(flatten)
    assert 0 == holding.venue.position()


def test_a_flatten_closes_nothing_while_the_call_of_an_exit_is_under_way(holding: WorkerEnv) -> None:
    holding.execute(EXITING.format(MNQ))
    flatten = holding.flatten()
    holding.runner.run(flatten)
    assert f"an exit of {MNQ} is on its way" in (holding.job(flatten)[2] or "")
    assert [] == holding.venue.requests(CLOSE)

    holding.execute("UPDATE orders SET submitted_at = now() - interval '8 s' WHERE state = 'SUBMITTING'")
    holding.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    holding.runner.run(flatten)
    assert 0 == holding.venue.position()


def test_an_exit_that_was_not_sent_is_cancelled_by_a_flatten_that_is_open_when_it_would_be(
    holding: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flatten_first(*arguments: Any) -> SubmitResult:
        holding.flatten(MNQ)
        return submit_order(*arguments)

    monkeypatch.setattr("workers.orders.place_order.submit_order", flatten_first)
    holding.run(ReducePosition(account_id=holding.venue.account_id, contract_id=MNQ, quantity=1))

    (cancelled,) = holding.rows("SELECT state, reason FROM orders WHERE role = 'EXIT' AND client_order_id IS NOT NULL")
    assert ("CANCELLED", f"{MNQ} is being flattened") == cancelled
    assert 0 == holding.venue.position()
    assert [("BUY", 2), ("SELL", 2)] == holding.rows(EXITS)


def test_a_position_that_stays_open_costs_ever_fewer_requests(holding: WorkerEnv) -> None:
    holding.venue.faults(path=CLOSE, kind="reject", error_code=2, count=1_000)
    job = holding.flatten()
    asked = []
    for _ in range(8):
        before = len(holding.venue.requests(POSITIONS)) + len(holding.venue.requests(QUERY))
        holding.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
        holding.runner.run(job)
        asked.append(len(holding.venue.requests(POSITIONS)) + len(holding.venue.requests(QUERY)) - before)

    assert 6 >= max(asked)
    ((wait,),) = holding.rows(f"SELECT extract(epoch FROM run_at - now()) FROM job WHERE id = '{job}'")
    assert wait > 1
