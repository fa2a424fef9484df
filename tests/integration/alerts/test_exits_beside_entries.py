"""What a market entry or a partial exit closes waits for no entry without end, and no entry is sent after its close."""

from uuid import UUID

import pytest

from tests.fixtures.alert_steps import ENTRIES, hold, result_of, run_next, run_until
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

PLACE = "/api/Order/place"
PLANS = "SELECT quantity_closing, quantity_opening FROM entry_reversal"
EXITS = "SELECT side, quantity, state FROM orders WHERE role = 'EXIT' ORDER BY created_at"
BUYING = (
    "INSERT INTO orders (id, account_id, contract_id, origin, role, side, type, quantity, state, correlation_id)"
    f" VALUES (gen_random_uuid(), 20001, '{MNQ}', 'manual', 'ENTRY', 'BUY', 'MARKET', 1, '{{}}', '{UUID(int=1)}')"
)  # of a job that was enqueued before every other
SIXTEEN_SECONDS_AGO = "UPDATE job SET enqueued_at = now() - interval '16 s' WHERE id = '{}'"


@pytest.mark.parametrize("is_by_closing_job", [True, False])
@pytest.mark.parametrize("state", ["CREATED", "SUBMITTING", "IN_DOUBT"])
def test_a_market_exit_waits_for_no_entry_that_may_not_be_at_the_venue(
    worker_env: WorkerEnv, state: str, *, is_by_closing_job: bool
) -> None:
    hold(worker_env, 2)
    worker_env.execute(BUYING.format(state))
    job_id = worker_env.entry_alert(action="sell", quantity=2)
    ((closing,),) = worker_env.rows("SELECT id FROM job WHERE name = 'alerts.close_reversed' AND state = 'queued'")
    run_next(worker_env, closing if is_by_closing_job else job_id)

    assert [(2, 0)] == worker_env.rows(PLANS)
    assert ("BUY", "MARKET", 1, "CANCELLED" if state == "CREATED" else state) == worker_env.rows(ENTRIES)[-1]


def test_a_part_that_a_market_entry_closes_cancels_no_entry(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    worker_env.execute(BUYING.format("CREATED"))
    run_next(worker_env, worker_env.entry_alert(action="sell", quantity=1))

    assert [(1, 0)] == worker_env.rows(PLANS)
    assert ("BUY", "MARKET", 1, "CREATED") == worker_env.rows(ENTRIES)[-1]


def test_what_a_reversal_opens_counts_the_entry_whose_call_is_under_way(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    worker_env.execute(BUYING.format("SUBMITTING"))
    run_next(worker_env, worker_env.entry_alert(action="sell", quantity=3))

    assert [] == worker_env.rows(PLANS)


def test_an_entry_in_doubt_is_not_sent_again_after_a_market_exit_closed_all(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    worker_env.venue.faults(path=PLACE, kind="lose_before")
    run_next(worker_env, worker_env.entry_alert())
    run_next(worker_env, worker_env.entry_alert(action="sell", quantity=2))
    worker_env.execute("UPDATE orders SET submitted_at = submitted_at - interval '16 seconds' WHERE state = 'IN_DOUBT'")
    run_until(worker_env, 0)

    assert ("BUY", "MARKET", 1, "EXPIRED") == worker_env.rows(ENTRIES)[-1]
    assert [("SELL", 2, "FILLED")] == worker_env.rows(EXITS)


def test_a_market_exit_waits_at_most_15_s_for_an_order_at_the_venue(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    worker_env.execute(BUYING.format("WORKING"))
    job_id = worker_env.entry_alert(action="sell", quantity=2)
    run_next(worker_env, job_id)
    assert [] == worker_env.rows(PLANS)
    worker_env.execute(SIXTEEN_SECONDS_AGO.format(job_id))
    run_next(worker_env, job_id)

    assert [(2, 0)] == worker_env.rows(PLANS)


def test_a_close_in_part_waits_at_most_15_s_for_an_order_at_the_venue(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    worker_env.execute(BUYING.format("WORKING"))
    job_id = worker_env.critical_alert(quantity=1)
    run_next(worker_env, job_id)
    assert "is not confirmed" in result_of(worker_env, job_id)
    worker_env.execute(SIXTEEN_SECONDS_AGO.format(job_id))
    run_next(worker_env, job_id)

    assert result_of(worker_env, job_id).startswith("succeeded")


def test_a_reversal_does_not_open_what_was_to_offset_an_entry_that_it_drops(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.execute(BUYING.format("CREATED"))
    run_next(worker_env, worker_env.entry_alert(action="sell", quantity=3))

    assert [(1, 1)] == worker_env.rows(PLANS)
    assert ("BUY", "MARKET", 1, "CANCELLED") == worker_env.rows(ENTRIES)[-1]


def test_a_reversal_waits_for_an_entry_in_doubt_which_it_may_have_to_close(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.execute(BUYING.format("IN_DOUBT"))
    job_id = worker_env.entry_alert(action="sell", quantity=2)
    run_next(worker_env, job_id)

    assert "is not confirmed" in result_of(worker_env, job_id)
    assert [] == worker_env.rows(PLANS)


def test_of_two_market_entries_at_once_the_first_closes_and_the_second_opens(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    for _ in range(2):
        worker_env.entry_alert(action="sell", quantity=2)
    for (closing,) in worker_env.rows("SELECT id FROM job WHERE name = 'alerts.close_reversed' ORDER BY id"):
        run_next(worker_env, closing)
    assert [(2, 0)] == worker_env.rows(PLANS)
    run_until(worker_env, -2)
