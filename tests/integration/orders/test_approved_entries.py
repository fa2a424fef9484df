"""What becomes of an approved entry: it waits for no other, closes what it reverses first, and its row says its end."""

import pytest

from shared.ledger import recovery
from shared.ledger.jobs.orders import LapseApproval
from tests.fixtures.alert_steps import (
    OTHER_MONTH,
    STOP_OF_ONE_LONG,
    hold,
    hold_other_month,
    last_signal,
    result_of,
    run_next,
    strategy_fields,
)
from tests.fixtures.approvals import (
    ENTRIES,
    approve,
    approve_without_worker,
    ask,
    require_approval,
    state_of,
    type_entry,
)
from tests.fixtures.operator import RunCommand
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

EXITS = "SELECT side, quantity, state FROM orders WHERE role = 'EXIT'"
HALT = "UPDATE account SET halted_at = now(), halt_reason = 'lunch'"
IN_AN_HOUR = "UPDATE job SET run_at = now() + interval '1 hour' WHERE id = '{}'"
BAR_OF_OTHER_MONTH = (
    f"INSERT INTO bar_minute SELECT (jsonb_populate_record(b, jsonb_build_object('contract_id', '{OTHER_MONTH}'))).*"
    f" FROM bar_minute b WHERE contract_id = '{MNQ}' ORDER BY start DESC LIMIT 1"
)
TO_LONG_2 = strategy_fields(action="buy", market_position="long", market_position_size=2)


def test_an_approved_entry_is_made_though_another_entry_of_its_account_waits(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env)
    waiting = worker_env.entry_alert(quantity=2)
    worker_env.execute(IN_AN_HOUR.format(waiting))
    approve_without_worker(worker_env, operator, approval_id)
    worker_env.run_due_jobs()

    assert result_of(worker_env, waiting).startswith("queued")
    assert [("BUY", 1, "FILLED")] == worker_env.rows(ENTRIES)
    assert ("ORDERED", True) == state_of(worker_env, approval_id)


def test_an_approved_entry_that_is_not_made_in_time_ends_as_expired_with_the_reason(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env)
    job_id = approve_without_worker(worker_env, operator, approval_id)
    assert 2 == len(worker_env.rows("SELECT 1 FROM job WHERE name = 'orders.lapse_approval' AND state = 'queued'"))
    worker_env.execute("UPDATE account SET reconciled_at = NULL")
    run_next(worker_env, job_id)
    early = worker_env.enqueue(LapseApproval(approval_id=approval_id))
    worker_env.runner.run(early)
    assert ("APPROVED", False) == state_of(worker_env, approval_id)
    assert "is still being made" in result_of(worker_env, early)
    worker_env.execute(f"UPDATE job SET expires_at = now() WHERE id = '{job_id}'")
    assert 1 == recovery.expire(worker_env.ledger.connection.open())
    run_next(worker_env, early)

    assert ("EXPIRED", False) == state_of(worker_env, approval_id)
    assert ("BUY", "denied") == last_signal(worker_env)[:2]
    assert "is not reconciled with the venue yet" in last_signal(worker_env)[2]
    (row,) = operator("approvals", "--all", "--json").json["approvals"]
    assert ("EXPIRED", last_signal(worker_env)[2]) == (row["state"], row["outcome"])
    assert "is not reconciled" in operator("approvals", "--all").words
    worker_env.execute(f"UPDATE job SET state = 'queued', expires_at = NULL WHERE id = '{job_id}'")
    worker_env.execute("UPDATE account SET reconciled_at = now()")
    run_next(worker_env, job_id)
    assert f"approval {approval_id} is EXPIRED" in result_of(worker_env, job_id)
    assert [] == worker_env.rows(ENTRIES)


def test_an_approved_entry_whose_job_was_cancelled_ends_as_expired(worker_env: WorkerEnv, operator: RunCommand) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env)
    job_id = approve_without_worker(worker_env, operator, approval_id)
    assert 0 == operator("jobs", "cancel", str(job_id)).status
    worker_env.run(LapseApproval(approval_id=approval_id))

    assert ("EXPIRED", False) == state_of(worker_env, approval_id)


def test_an_approved_entry_closes_what_it_reverses_by_now_and_opens_the_rest(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env, action="sell", quantity=3)
    type_entry(worker_env, operator)
    result = approve(worker_env, operator, approval_id)

    assert 0 == result.status, result
    assert [("SELL", 1, "FILLED")] == worker_env.rows(EXITS)
    assert -2 == worker_env.venue.position()


def test_the_closing_part_of_an_approved_entry_passes_where_the_rest_is_denied(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env, action="sell", quantity=3)
    type_entry(worker_env, operator)
    worker_env.execute(HALT)
    result = approve(worker_env, operator, approval_id)

    assert (1, True) == (result.status, "1 of MNQ H26 closed first, nothing is opened" in result.error), result
    assert 0 == worker_env.venue.position()
    assert ("DENIED", True) == state_of(worker_env, approval_id)


def test_an_approved_entry_that_only_reduces_by_now_is_an_exit_which_nothing_denies(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env, action="sell", quantity=1)
    type_entry(worker_env, operator)
    worker_env.execute(HALT)
    result = approve(worker_env, operator, approval_id)

    assert 0 == result.status, result
    assert [("SELL", 1, "FILLED")] == worker_env.rows(EXITS)
    assert 0 == worker_env.venue.position()
    assert ("ORDERED", True) == state_of(worker_env, approval_id)
    assert "closed, and nothing opened; approved by" in last_signal(worker_env)[2]


def test_an_approved_rest_of_a_reversal_is_denied_when_something_is_held_against_it_again(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    hold(worker_env, 1)
    require_approval(worker_env)
    approval_id = ask(worker_env, action="sell", quantity=3)
    type_entry(worker_env, operator)
    result = approve(worker_env, operator, approval_id)

    assert (1, True) == (result.status, "is held against it again" in result.error), result
    assert 1 == worker_env.venue.position()
    assert ("DENIED", False) == state_of(worker_env, approval_id)
    assert ("SELL", "denied") == last_signal(worker_env)[:2]


@pytest.mark.parametrize(("symbol", "is_entered"), [("MNQH2026", True), ("MNQ1!", False)])
def test_another_month_forbids_an_approved_target_position_only_if_its_symbol_means_it(
    worker_env: WorkerEnv, operator: RunCommand, symbol: str, *, is_entered: bool
) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env, **TO_LONG_2 | {"symbol": symbol})
    hold_other_month(worker_env)
    worker_env.execute(STOP_OF_ONE_LONG.format(OTHER_MONTH))
    worker_env.execute(BAR_OF_OTHER_MONTH)
    job_id = approve_without_worker(worker_env, operator, approval_id)

    def has_ended() -> bool:
        worker_env.write_quote(OTHER_MONTH)
        run_next(worker_env, job_id)
        return not result_of(worker_env, job_id).startswith("queued")

    until(has_ended, 60, f"the end of {job_id}")
    worker_env.run_due_jobs()
    told = result_of(worker_env, job_id)
    assert is_entered is told.startswith("succeeded"), told
    assert is_entered or "has changed since +2 was requested" in told
    assert (2 if is_entered else 0) == worker_env.venue.position(MNQ)
    assert [(1,)] == worker_env.rows("SELECT quantity FROM position WHERE contract_id = %s", OTHER_MONTH)
