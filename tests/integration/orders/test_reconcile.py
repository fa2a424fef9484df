"""Reconcile: the venue is right, a position mismatch halts one account, and a failing account delays no other."""

from datetime import timedelta
from decimal import Decimal

import pytest

from shared.fleets import Queue
from shared.ledger.jobs.accounts import SnapshotAccounts
from shared.ledger.jobs.orders import ReconcileAccount, ReconcileAccounts
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from workers.orders import reconcile_account

HALT = "SELECT halt_reason FROM account WHERE id = %s"


def open_second_account(worker_env: WorkerEnv) -> int:
    """Open a second account of the same user, and reconcile it."""
    opened = worker_env.venue.control("POST", "accounts", {"stage": "practice", "balance": 50000}).json()
    worker_env.run(SnapshotAccounts())
    worker_env.run(ReconcileAccounts())
    found: int = opened["id"]
    return found


def test_a_position_from_before_we_saw_the_account_is_its_opening_position_and_no_mismatch(
    worker_env: WorkerEnv,
) -> None:
    worker_env.execute("UPDATE account SET first_seen_at = NULL")
    worker_env.venue.trade(size=2)
    worker_env.venue.faults(path="/api/Trade/search", kind="null_list", count=1)  # not even its fill is known
    worker_env.run(ReconcileAccount(account_id=worker_env.venue.account_id))

    assert [("LONG", 2)] == worker_env.rows("SELECT direction, quantity FROM position")
    assert [(None,)] == worker_env.rows(HALT, worker_env.venue.account_id)


def test_a_position_mismatch_is_repaired_and_halts_the_account_with_both_quantities(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile_account, "_LISTED_WITHIN", timedelta())  # orders of just now are listed
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    worker_env.execute("UPDATE position SET baseline_quantity = 3")  # as if there were a fill of three too many
    worker_env.execute("UPDATE position SET quantity = 5")
    worker_env.run(ReconcileAccounts())

    assert [("LONG", 2)] == worker_env.rows("SELECT direction, quantity FROM position")
    ((reason,),) = worker_env.rows(HALT, worker_env.venue.account_id)
    assert f"{MNQ}: the venue holds +2, our fills make +5" in reason
    refused = worker_env.entry_alert()
    worker_env.run_due_jobs()
    assert "is halted: PositionMismatchError" in (worker_env.job(refused)[2] or "")


def test_unreported_fills_are_found_and_are_no_mismatch(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.execute("DELETE FROM fill")
    worker_env.execute("UPDATE position SET quantity = 0, direction = 'FLAT'")
    worker_env.run(ReconcileAccounts())

    assert [("LONG", 1)] == worker_env.rows("SELECT direction, quantity FROM position")
    assert [(None,)] == worker_env.rows(HALT, worker_env.venue.account_id)


def test_a_working_order_that_the_venue_no_longer_lists_is_requested_and_never_dropped(worker_env: WorkerEnv) -> None:
    """Invariant: an order that still works is never dropped because of a mismatch."""
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    before = worker_env.rows("SELECT id, state FROM orders ORDER BY id")
    worker_env.execute("UPDATE fill SET filled_market_at = filled_market_at - interval '3 hours'")
    worker_env.execute("UPDATE account SET reconciled_at = now()")
    worker_env.run(ReconcileAccounts())

    assert before == worker_env.rows("SELECT id, state FROM orders ORDER BY id")


def test_a_reconcile_that_reads_everything_again_places_no_second_bracket(worker_env: WorkerEnv) -> None:
    """Invariant: replay must not re-trigger bracket actions."""
    worker_env.entry_alert(take_profit_ticks=800)
    worker_env.run_due_jobs()
    placed = len(worker_env.venue.requests("/api/Order/place"))
    worker_env.execute("TRUNCATE job_key")
    for _ in range(3):
        worker_env.run(ReconcileAccounts())

    assert placed == len(worker_env.venue.requests("/api/Order/place"))
    assert 2 == worker_env.rows("SELECT count(*) FROM orders WHERE parent_id IS NOT NULL")[0][0]


def test_the_tag_of_an_order_is_the_same_after_any_restart(worker_env: WorkerEnv) -> None:
    """Invariant: ids are deterministic."""
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    ((order_id, tag, own),) = worker_env.rows(
        "SELECT o.id, client_order_id, i.id FROM orders o, installation i WHERE role = 'ENTRY'"
    )

    assert f"tw-{own}-{order_id.hex}" == tag
    assert len(tag) <= 60


def test_a_difference_right_after_an_order_is_no_mismatch_yet(worker_env: WorkerEnv) -> None:
    """The venue may list a position before its fill."""
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.execute("UPDATE position SET quantity = 3")
    just_now = worker_env.venue.clock.now() + timedelta(minutes=1)  # even on a slow machine
    worker_env.execute(f"UPDATE orders SET changed_market_at = '{just_now.isoformat()}'".replace(":", "\\:"))
    job_id = worker_env.enqueue(ReconcileAccount(account_id=worker_env.venue.account_id))
    worker_env.runner.run(job_id)

    assert ("queued", True) == (
        worker_env.job(job_id)[0],
        "changes too fast to be compared" in (worker_env.job(job_id)[2] or ""),
    )
    assert [(None,)] == worker_env.rows(HALT, worker_env.venue.account_id)


def test_a_difference_right_after_a_fill_is_no_mismatch_yet_though_the_venue_dates_its_order_by_its_acceptance(
    worker_env: WorkerEnv,
) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.execute("UPDATE position SET quantity = 3")
    worker_env.execute(
        "UPDATE orders SET submitted_market_at = '2026-03-01+00', changed_market_at = '2026-03-01+00', "
        "created_at = now() - interval '1 hour', updated_at = now() + interval '1 minute'"  # even on a slow machine
    )
    job_id = worker_env.enqueue(ReconcileAccount(account_id=worker_env.venue.account_id))
    worker_env.runner.run(job_id)

    assert "changes too fast to be compared" in (worker_env.job(job_id)[2] or "")
    assert [(None,)] == worker_env.rows(HALT, worker_env.venue.account_id)


def test_a_mismatch_beside_a_tagged_external_order_halts_the_account(worker_env: WorkerEnv) -> None:
    """Each report of such an order is compared anew, as its entry may be known by then; that is no news of it."""
    worker_env.venue.place(type=1, limitPrice=20000, customTag="of another program")
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.run(ReconcileAccount(account_id=worker_env.venue.account_id))
    worker_env.execute(
        "UPDATE orders SET submitted_market_at = '2026-03-01+00', changed_market_at = '2026-03-10 15:00+00', "
        "created_at = now() - interval '1 hour', updated_at = now() - interval '1 hour'"
    )
    worker_env.execute("UPDATE position SET quantity = 3")
    worker_env.run(ReconcileAccount(account_id=worker_env.venue.account_id))

    ((reason,),) = worker_env.rows(HALT, worker_env.venue.account_id)
    assert "PositionMismatchError" in reason


def test_a_reconcile_that_is_not_due_delays_no_urgent_one(worker_env: WorkerEnv) -> None:
    account_id = worker_env.venue.account_id
    key = f"account:{account_id}:reconcile"
    waiting = worker_env.enqueue(
        ReconcileAccount(account_id=account_id), sequence_key=key, run_after=timedelta(seconds=15)
    )
    worker_env.execute("UPDATE account SET reconciled_at = NULL")
    worker_env.runner.run(worker_env.enqueue(ReconcileAccounts(), queue=Queue.CRITICAL))
    ((urgent,),) = worker_env.rows("SELECT id FROM job WHERE sequence_key = %s AND queue = 'critical'", key)
    worker_env.runner.run(urgent)

    assert ("succeeded", "queued") == (worker_env.job(urgent)[0], worker_env.job(waiting)[0])
    assert [(account_id,)] == worker_env.rows("SELECT id FROM account WHERE reconciled_at IS NOT NULL")


def test_an_account_that_fails_to_reconcile_delays_no_other(worker_env: WorkerEnv) -> None:
    other = open_second_account(worker_env)
    worker_env.execute("UPDATE account SET reconciled_at = NULL")
    worker_env.venue.faults(path="/api/Order/search", kind="status", status=500, count=3)
    first = worker_env.enqueue(ReconcileAccount(account_id=worker_env.venue.account_id))
    second = worker_env.enqueue(ReconcileAccount(account_id=other))
    worker_env.runner.run(first)
    worker_env.runner.run(second)

    assert ("queued", "succeeded") == (worker_env.job(first)[0], worker_env.job(second)[0])
    assert [(worker_env.venue.account_id,)] == worker_env.rows("SELECT id FROM account WHERE reconciled_at IS NULL")


def test_complaint_14_one_alert_trades_every_account_of_its_hook_each_with_its_outcome(worker_env: WorkerEnv) -> None:
    other = open_second_account(worker_env)
    first = worker_env.entry_alert(worker_env.add_hook(None, other))
    worker_env.execute(
        f"UPDATE account SET halted_at = now(), halt_reason = 'by hand' WHERE id = {worker_env.venue.account_id}"
    )
    worker_env.run_due_jobs()

    assert ("failed", True) == (worker_env.job(first)[0], "halted: by hand" in (worker_env.job(first)[2] or ""))
    assert [("succeeded",)] == worker_env.rows("SELECT state FROM job WHERE name = 'alerts.handle_follower_alert'")
    outcomes = dict(worker_env.rows("SELECT account_id, verdict FROM signal"))
    assert {worker_env.venue.account_id: "denied", other: "accepted"} == outcomes
    assert [(other, "FILLED")] == worker_env.rows(
        "SELECT account_id, state FROM orders WHERE state <> 'DENIED' AND role = 'ENTRY'"
    )


def test_our_balance_is_the_venues_and_the_sum_of_the_fills(worker_env: WorkerEnv) -> None:
    before = worker_env.rows("SELECT balance FROM account")[0][0]
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.critical_alert()
    worker_env.run_due_jobs()
    worker_env.run(SnapshotAccounts())

    ((balance,),) = worker_env.rows("SELECT balance FROM account")
    ((earned,),) = worker_env.rows("SELECT sum(coalesce(gross_pnl, 0) - fees - commissions) FROM fill")
    shown = worker_env.venue.post("/api/Account/search", onlyActiveAccounts=True)["accounts"][0]["balance"]
    assert before + earned == balance == Decimal(str(shown))


def test_a_reconcile_without_changes_writes_no_row(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(take_profit_ticks=400)
    worker_env.run_due_jobs()
    versions = "SELECT role, state, xmin::text FROM orders ORDER BY id"  # every write of a row makes another version
    before = worker_env.rows(versions)
    assert ["FILLED", "WORKING", "WORKING"] == sorted(row[1] for row in before)

    assert "succeeded" == worker_env.run(ReconcileAccounts())[0]

    assert before == worker_env.rows(versions)
