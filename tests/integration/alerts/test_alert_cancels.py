"""Alerts that cancel entries: those that rest, those on their way, and what stays."""

import pytest

from shared.domain.alerts.hook_settings import HookSettings
from shared.ledger.jobs.orders import ReconcileAccounts
from tests.fixtures.alert_steps import ENTRIES, hold, last_signal, result_of, run_change, run_next, run_until
from tests.fixtures.worker_env import WorkerEnv

CANCEL = "/api/Order/cancel"


def test_a_cancel_ends_the_entries_that_rest_and_leaves_stop_and_target(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    for fields in ({"limit_price": 20000}, {"action": "sell", "limit_price": 30000}):
        worker_env.entry_alert(**fields)
        worker_env.run_due_jobs()
    job_id = run_change(worker_env, action="cancel_all")

    assert ["FILLED", "CANCELLED", "CANCELLED"] == [state for *_, state in worker_env.rows(ENTRIES)]
    legs = worker_env.rows("SELECT role FROM orders WHERE state = 'WORKING' ORDER BY role")
    assert [("STOP_LOSS",), ("TAKE_PROFIT",)] == legs
    assert result_of(worker_env, job_id).startswith("succeeded")
    assert ("CANCEL", "accepted", "cancels 2 resting entries") == last_signal(worker_env)


def test_a_cancel_without_a_resting_entry_has_nothing_to_do(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    job_id = run_change(worker_env, action="cancel")

    assert "no entry rests in MNQ" in result_of(worker_env, job_id)
    assert ("CANCEL", "accepted", "nothing to do: no entry rests in MNQ") == last_signal(worker_env)
    assert [] == worker_env.venue.requests(CANCEL)


def test_a_cancel_ends_an_entry_on_its_way_once_it_rests(worker_env: WorkerEnv) -> None:
    """Its order was sent before, and its answer is not known."""
    entry = worker_env.entry_alert(action="buy", limit_price=20000)
    worker_env.venue.faults(path="/api/Order/place", kind="lose_answer_after")
    run_next(worker_env, entry)
    assert ("IN_DOUBT",) == tuple(worker_env.rows(ENTRIES)[0][3:])
    job_id = worker_env.critical_alert(action="cancel")
    run_next(worker_env, job_id)
    assert [("queued",)] == worker_env.rows("SELECT state FROM job WHERE id = %s", job_id)
    run_until(worker_env, 0)

    assert [("BUY", "LIMIT", 1, "CANCELLED")] == worker_env.rows(ENTRIES)
    assert ("CANCEL", "accepted", "cancels 1 resting entry") == last_signal(worker_env)


def test_an_entry_that_the_venue_never_received_is_not_sent_after_its_cancel(worker_env: WorkerEnv) -> None:
    entry = worker_env.entry_alert(action="buy", limit_price=30000)  # it would fill at once
    worker_env.venue.faults(path="/api/Order/place", kind="lose_before", count=1)
    run_next(worker_env, entry)
    assert ("IN_DOUBT",) == tuple(worker_env.rows(ENTRIES)[0][3:])
    run_next(worker_env, worker_env.critical_alert(action="cancel"))
    worker_env.execute(
        "UPDATE orders SET submitted_at = submitted_at - interval '16 s', in_doubt_at = in_doubt_at - interval '16 s'"
    )
    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    worker_env.run_due_jobs()

    ((*_, state),) = worker_env.rows(ENTRIES)
    assert state in {"EXPIRED", "CANCELLED"}
    assert 0 == worker_env.venue.position()


def test_an_entry_that_the_venue_lists_after_it_was_given_up_is_cancelled_as_was_asked(worker_env: WorkerEnv) -> None:
    entry = worker_env.entry_alert(action="buy", limit_price=20000)
    worker_env.venue.faults(path="/api/Order/place", kind="lose_answer_after")
    run_next(worker_env, entry)
    run_next(worker_env, worker_env.critical_alert(action="cancel"))
    reason = "never seen at the venue, and not sent again: its cancel was requested"
    worker_env.execute(f"UPDATE orders SET state = 'EXPIRED', reason = '{reason}' WHERE role = 'ENTRY'")
    worker_env.run_due_jobs()
    assert [("TOO_LATE",)] == worker_env.rows("SELECT state FROM order_change")
    worker_env.run(ReconcileAccounts())
    worker_env.run_due_jobs()

    assert [("BUY", "LIMIT", 1, "CANCELLED")] == worker_env.rows(ENTRIES)
    assert ["DONE", "TOO_LATE"] == sorted(row[0] for row in worker_env.rows("SELECT state FROM order_change"))


@pytest.mark.parametrize(("name", "price"), [("limit_price", 30000), ("stop_price", 20000)])
def test_an_entry_that_waits_is_not_made_after_its_cancel(worker_env: WorkerEnv, name: str, price: int) -> None:
    """Without a quote at first; with one it would fill at once."""
    payload = {"action": "buy", "symbol": "MNQ", "quantity": 1, "stop_loss_ticks": 400, name: price}
    entry = worker_env.store_alert(None, payload)
    job_id = worker_env.critical_alert(action="cancel")
    run_next(worker_env, job_id)
    assert [("queued",)] == worker_env.rows("SELECT state FROM job WHERE id = %s", job_id)
    run_until(worker_env, 0)

    assert [("DENIED", 0)] == [(row[3], worker_env.venue.position()) for row in worker_env.rows(ENTRIES)]
    assert "an alert that cancels the entries in" in (worker_env.job(entry)[2] or "")


def test_an_entry_of_a_hook_that_maps_its_symbol_is_not_made_after_its_cancel(worker_env: WorkerEnv) -> None:
    hook_id = worker_env.add_hook(HookSettings(symbols={"NQ": "MNQ"}))
    fields = {"symbol": "NQ1!", "action": "buy", "quantity": 1, "stop_loss_ticks": 400, "limit_price": 30000}
    worker_env.store_alert(hook_id, fields)
    run_next(worker_env, worker_env.store_alert(hook_id, {"symbol": "NQ1!", "action": "cancel"}))
    run_until(worker_env, 0)

    assert ["DENIED"] == [row[3] for row in worker_env.rows(ENTRIES)]


def test_a_cancel_of_an_entry_that_had_filled_does_not_say_that_it_rested(worker_env: WorkerEnv) -> None:
    entry = worker_env.entry_alert(action="buy", limit_price=30000)  # it fills at once
    worker_env.venue.faults(path="/api/Order/place", kind="lose_answer_after")
    run_next(worker_env, entry)
    assert ("IN_DOUBT",) == tuple(worker_env.rows(ENTRIES)[0][3:])
    run_next(worker_env, worker_env.critical_alert(action="cancel"))
    run_until(worker_env, 1)
    worker_env.run_due_jobs()

    assert ("CANCEL", "accepted", "nothing to do: no entry rests in MNQ") == last_signal(worker_env)


def test_a_market_entry_and_one_of_another_month_that_wait_are_made_after_a_cancel(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(action="buy")
    worker_env.entry_alert(action="buy", limit_price=20000)
    run_next(worker_env, worker_env.critical_alert(action="cancel", symbol="MNQU2031"))
    run_until(worker_env, 1)

    assert ["FILLED", "WORKING"] == [state for *_, state in worker_env.rows(ENTRIES)]


def test_a_cancel_leaves_an_entry_that_was_received_after_it(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(action="buy", limit_price=20000)
    worker_env.run_due_jobs()
    job_id = worker_env.critical_alert(action="cancel")
    run_next(worker_env, worker_env.entry_alert(action="buy", limit_price=19000))
    run_next(worker_env, job_id)
    worker_env.run_due_jobs()

    assert ["CANCELLED", "WORKING"] == [state for *_, state in worker_env.rows(ENTRIES)]


def test_a_cancel_by_month_leaves_the_entries_of_another(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(action="buy", limit_price=20000)
    worker_env.run_due_jobs()
    job_id = run_change(worker_env, action="cancel", symbol="MNQU2031")

    assert [("BUY", "LIMIT", 1, "WORKING")] == worker_env.rows(ENTRIES)
    assert "no entry rests in MNQU2031" in result_of(worker_env, job_id)


def test_a_second_run_of_a_cancel_does_nothing_more(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(action="buy", limit_price=20000)
    worker_env.run_due_jobs()
    job_id = run_change(worker_env, action="cancel")
    worker_env.runner.run(job_id)
    worker_env.run_due_jobs()

    assert 1 == len(worker_env.venue.requests(CANCEL))
    assert [(1,)] == worker_env.rows("SELECT count(*) FROM signal WHERE action = 'CANCEL'")
