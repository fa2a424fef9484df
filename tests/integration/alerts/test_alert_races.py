"""Alerts that meet orders on their way, and each other: no exit reverses, no target position is entered twice."""

from typing import Any
from uuid import UUID

import pytest

from shared.ledger.jobs.orders import ReconcileAccounts
from tests.fixtures.alert_steps import (
    ENTRIES,
    OTHER_MONTH,
    hold,
    hold_other_month,
    result_of,
    run_next,
    run_until,
    stop_quantities,
    strategy_fields,
    time_ago,
)
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from workers.orders import venue_state
from workers.orders.submit import submit_order
from workers.wiring import open_runner

PLACE = "/api/Order/place"
EXITS = "SELECT side, quantity, state FROM orders WHERE role = 'EXIT' ORDER BY created_at"
LONG_ONE = strategy_fields(action="buy", market_position="long", market_position_size=1)

SHORT_ONE = strategy_fields(market_position="short", market_position_size=1)


def poll_fills(worker_env: WorkerEnv) -> None:
    ((job_id,),) = worker_env.rows("SELECT id FROM job WHERE state = 'queued' AND name = 'orders.poll_fills'")
    run_next(worker_env, job_id)


def requested_flattens(worker_env: WorkerEnv) -> list[str]:
    return [contract_id for (contract_id,) in worker_env.rows("SELECT contract_id FROM flatten_request ORDER BY 1")]


def test_a_partial_exit_cancels_a_resting_entry_when_nothing_is_held(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(action="buy", limit_price=20000)
    worker_env.run_due_jobs()
    job_id = worker_env.critical_alert(quantity=1)
    run_until(worker_env, 0)

    assert result_of(worker_env, job_id).startswith("succeeded")
    assert [("BUY", "LIMIT", 1, "CANCELLED")] == worker_env.rows(ENTRIES)


def test_a_part_of_an_entry_whose_fill_is_not_known_waits_for_it(worker_env: WorkerEnv) -> None:
    run_next(worker_env, worker_env.entry_alert(action="buy", quantity=3))
    job_id = worker_env.critical_alert(quantity=1)
    run_next(worker_env, job_id)

    assert [("queued",)] == worker_env.rows("SELECT state FROM job WHERE id = %s", job_id)
    run_until(worker_env, 2)
    assert [("SELL", 1, "FILLED")] == worker_env.rows(EXITS)


def test_a_target_position_below_an_entry_whose_fill_is_not_known_waits_for_it(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    run_next(worker_env, worker_env.entry_alert(**LONG_ONE | {"quantity": 2, "market_position_size": 3}))
    worker_env.critical_alert(action="sell", quantity=2, market_position="long", market_position_size=1)
    run_until(worker_env, 1)

    assert 1 == sum(row[0] for row in stop_quantities(worker_env))


@pytest.mark.parametrize("is_order_known_first", [False, True])
def test_a_target_position_is_not_entered_twice_while_its_fill_is_on_its_way(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch, *, is_order_known_first: bool
) -> None:
    """The venue's report of the filled order may come before that of its fill: the position is then not known yet."""
    run_next(worker_env, worker_env.entry_alert(**LONG_ONE))
    second = worker_env.entry_alert(**LONG_ONE)
    if is_order_known_first:
        with monkeypatch.context() as patch:
            patch.setattr(venue_state, "apply_fills", lambda *_: None)
            poll_fills(worker_env)
        assert [("BUY", "MARKET", 1, "FILLED")] == worker_env.rows(ENTRIES)
    run_next(worker_env, second)
    assert [("queued",)] == worker_env.rows("SELECT state FROM job WHERE id = %s", second)
    run_until(worker_env, 1)

    assert [("BUY", "MARKET", 1, "FILLED")] == worker_env.rows(ENTRIES)
    assert "+1 is held, +1 is wanted" in result_of(worker_env, second)


def test_two_partial_exits_in_two_workers_never_reverse(worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second reads the position while the first is about to send its order."""
    hold(worker_env, 3)
    first, second = worker_env.critical_alert(quantity=2), worker_env.critical_alert(quantity=2)
    met: list[UUID] = []
    with open_runner(worker_env.settings, process("test/2"), program="test") as other:

        def submit_after_the_other(*arguments: Any) -> Any:
            if not met:
                met.append(second)
                other.run(second)
            return submit_order(*arguments)

        monkeypatch.setattr("workers.orders.place_order.submit_order", submit_after_the_other)
        worker_env.runner.run(first)
    assert [second] == met
    run_until(worker_env, 0)

    # The second waited, and the venue closed the one contract that was left.
    assert [("SELL", 2, "FILLED"), ("SELL", 1, "FILLED")] == worker_env.rows(EXITS)
    assert [("BUY", "MARKET", 3, "FILLED")] == worker_env.rows(ENTRIES)


def test_a_close_drops_the_waiting_entry_of_a_reversal(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    reversal = worker_env.entry_alert(**strategy_fields(quantity=2, market_position="short", market_position_size=1))
    run_next(worker_env, reversal)
    flat = worker_env.critical_alert(action="buy", market_position="flat", market_position_size=0)
    run_until(worker_env, 0)

    assert "was closed by a later request" in result_of(worker_env, reversal)
    assert result_of(worker_env, flat).startswith("succeeded")
    assert 1 == len(worker_env.rows(ENTRIES))


def test_the_closing_part_of_a_reversal_does_not_wait_for_an_earlier_entry(worker_env: WorkerEnv) -> None:
    """The earlier entry finds no fresh quote: the close drops it, as a close of all does, and the reversal goes on."""
    hold(worker_env, 1)
    hook_id = worker_env.add_hook()
    earlier = worker_env.entry_alert(hook_id)
    worker_env.execute(f"UPDATE job SET run_at = now() + interval '1 hour' WHERE id = '{earlier}'")
    reversal = worker_env.entry_alert(hook_id, **SHORT_ONE)
    worker_env.run_due_jobs()

    assert 0 == worker_env.venue.position()
    assert result_of(worker_env, reversal).startswith("queued")
    run_next(worker_env, earlier)
    run_until(worker_env, -1)
    assert "was closed by a later request" in result_of(worker_env, earlier)


def test_the_closing_part_of_a_reversal_closes_nothing_once_the_alert_has_ended(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    hook_id = worker_env.add_hook()
    reversal = worker_env.entry_alert(hook_id, **SHORT_ONE)
    worker_env.execute("UPDATE job SET run_at = now() + interval '1 hour' WHERE name = 'alerts.close_reversed'")
    worker_env.run_due_jobs()
    worker_env.entry_alert(hook_id, **LONG_ONE)
    worker_env.execute("UPDATE job SET run_at = now() + interval '1 hour' WHERE name = 'alerts.close_reversed'")
    worker_env.run_due_jobs()
    worker_env.execute("UPDATE job SET run_at = now() WHERE name = 'alerts.close_reversed'")
    run_until(worker_env, 1)

    assert result_of(worker_env, reversal).startswith("succeeded")


def test_the_closing_part_of_a_reversal_waits_at_most_15_s_for_an_order_in_doubt(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.venue.faults(path=PLACE, kind="lose_before")
    run_next(worker_env, worker_env.entry_alert())
    worker_env.entry_alert(**SHORT_ONE)
    ((job_id,),) = worker_env.rows("SELECT id FROM job WHERE name = 'alerts.close_reversed' AND state = 'queued'")
    run_next(worker_env, job_id)
    assert [] == requested_flattens(worker_env)
    worker_env.execute(f"UPDATE job SET enqueued_at = now() - interval '16 seconds' WHERE id = '{job_id}'")
    run_next(worker_env, job_id)

    assert [MNQ] == requested_flattens(worker_env)


@pytest.mark.parametrize("is_entered_later", [False, True])
def test_a_reversal_whose_entry_has_expired_closes_what_was_not_entered_after_it(
    worker_env: WorkerEnv, *, is_entered_later: bool
) -> None:
    if not is_entered_later:
        hold(worker_env, 1)
    reversal = worker_env.entry_alert(**SHORT_ONE)
    worker_env.execute(f"UPDATE job SET state = 'expired', finished_at = now() WHERE id = '{reversal}'")
    worker_env.execute("UPDATE job SET run_at = now() + interval '1 hour' WHERE name = 'alerts.close_reversed'")
    if is_entered_later:
        hold(worker_env, 1)
    worker_env.execute("UPDATE job SET run_at = now() WHERE name = 'alerts.close_reversed'")
    worker_env.run_due_jobs()

    assert int(is_entered_later) == worker_env.venue.position()


def test_a_reversal_whose_entry_has_expired_leaves_a_position_made_elsewhere_after_it(worker_env: WorkerEnv) -> None:
    reversal = worker_env.entry_alert(**SHORT_ONE)
    worker_env.execute(f"UPDATE job SET state = 'expired', finished_at = now() WHERE id = '{reversal}'")
    ((job_id,),) = worker_env.rows("SELECT id FROM job WHERE name = 'alerts.close_reversed' AND state = 'queued'")
    worker_env.execute(f"UPDATE job SET run_at = now() + interval '1 hour' WHERE id = '{job_id}'")
    worker_env.venue.trade(side=0, size=1)
    worker_env.run(ReconcileAccounts())
    run_next(worker_env, job_id)
    worker_env.run_due_jobs()

    assert 1 == worker_env.venue.position()


def test_an_entry_to_be_sent_again_does_not_wait_for_an_alert_that_waits_for_it(worker_env: WorkerEnv) -> None:
    worker_env.venue.faults(path=PLACE, kind="lose_before")
    run_next(worker_env, worker_env.entry_alert(**LONG_ONE))
    waiting = worker_env.entry_alert(**LONG_ONE | {"market_position_size": 2})
    run_next(worker_env, waiting)
    assert "is not confirmed" in (worker_env.job(waiting)[2] or "")
    worker_env.execute("UPDATE orders SET submitted_at = submitted_at - interval '16 seconds' WHERE state = 'IN_DOUBT'")
    run_until(worker_env, 2)

    assert "succeeded" == worker_env.job(waiting)[0]


@pytest.mark.parametrize(("sent", "left"), [(5, 1), (0, 0)], ids=["received last", "in order"])
def test_the_closing_part_of_a_reversal_that_waits_respects_an_alert_sent_later(
    worker_env: WorkerEnv, sent: int, left: int
) -> None:
    hook_id, sent_at = worker_env.add_hook(), time_ago(sent)
    worker_env.entry_alert(hook_id, timenow=time_ago(2))
    run_until(worker_env, 1)
    waiting = worker_env.entry_alert()
    worker_env.execute(f"UPDATE job SET run_at = now() + interval '1 hour' WHERE id = '{waiting}'")
    worker_env.entry_alert(hook_id, **SHORT_ONE, timenow=sent_at)
    worker_env.run_due_jobs()

    assert left == worker_env.venue.position()


def test_a_smaller_target_position_cancels_the_entries_that_exceed_it(worker_env: WorkerEnv) -> None:
    resting = LONG_ONE | {"limit_price": 20000}
    worker_env.entry_alert(**resting | {"market_position_size": 3})
    worker_env.run_due_jobs()
    worker_env.entry_alert(**resting)
    worker_env.run_due_jobs()

    assert [("BUY", "LIMIT", 3, "CANCELLED"), ("BUY", "LIMIT", 1, "WORKING")] == worker_env.rows(ENTRIES)


def test_a_target_position_that_names_the_active_month_leaves_the_others(worker_env: WorkerEnv) -> None:
    hold_other_month(worker_env)
    job_id = worker_env.entry_alert(**LONG_ONE | {"symbol": "MNQH2026"})
    run_next(worker_env, job_id)

    assert [] == requested_flattens(worker_env)
    assert f"{OTHER_MONTH} is held without a fresh price" in result_of(worker_env, job_id)  # so it came to the entry


def test_a_target_position_that_closes_another_month_says_so(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    hold_other_month(worker_env)
    job_id = worker_env.entry_alert(**LONG_ONE)
    run_next(worker_env, job_id)
    assert [OTHER_MONTH] == requested_flattens(worker_env)
    worker_env.execute(f"DELETE FROM position WHERE contract_id = '{OTHER_MONTH}'")  # as its close does
    run_until(worker_env, 1)

    reason = f"closes {OTHER_MONTH}: +1 is held, +1 is wanted"
    assert [("accepted", reason)] == worker_env.rows("SELECT verdict, reason FROM signal WHERE action = 'CLOSE'")


def test_a_reversal_in_a_month_that_is_no_longer_active_closes_it(worker_env: WorkerEnv) -> None:
    hold_other_month(worker_env)
    job_id = worker_env.entry_alert(
        **strategy_fields(symbol="MNQM2026", market_position="short", market_position_size=1)
    )
    run_next(worker_env, job_id)

    assert "MNQM2026 is not the active contract of MNQ" in result_of(worker_env, job_id)
    assert [OTHER_MONTH] == requested_flattens(worker_env)


def test_a_part_of_two_months_is_taken_from_the_active_one(worker_env: WorkerEnv) -> None:
    hold(worker_env, 3)
    hold_other_month(worker_env)
    job_id = worker_env.critical_alert(quantity=1)
    run_next(worker_env, job_id)

    assert f"{MNQ}: 1 of the position" in result_of(worker_env, job_id)
    assert [] == requested_flattens(worker_env)


def test_an_exit_that_is_sent_again_keeps_its_target_position(worker_env: WorkerEnv) -> None:
    """Its size is computed anew: one contract more was bought by hand while its order was refused a login."""
    hold(worker_env, 3)
    worker_env.venue.faults(path=PLACE, kind="status", status=401)
    job_id = worker_env.critical_alert(action="sell", market_position="long", market_position_size=1)
    run_next(worker_env, job_id)
    assert [("SELL", 2, "CANCELLED")] == worker_env.rows(EXITS)
    worker_env.venue.trade(side=0, size=1)
    run_until(worker_env, 1)

    assert [("SELL", 2, "CANCELLED"), ("SELL", 3, "FILLED")] == worker_env.rows(EXITS)
