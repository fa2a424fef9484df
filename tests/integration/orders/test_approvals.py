"""Approval mode: an entry of an alert or a strategy waits as a row until a person approves it, and is made once."""

from uuid import UUID

from shared.ledger.jobs.orders import EnterApproved, LapseApproval
from tests.fixtures.alert_steps import hold, last_signal, list_verdicts, result_of, strategy_fields
from tests.fixtures.approvals import ENTRIES, approve, ask, require_approval, state_of, type_entry
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

PLACE = "/api/Order/place"
LAPSED = "UPDATE entry_approval SET asked_at = now() - interval '5 minutes', expires_at = now()"


def list_waiting_jobs(worker_env: WorkerEnv) -> list[str]:
    rows = worker_env.rows("SELECT name FROM job WHERE state IN ('queued', 'running') AND queue <> 'background'")
    return [name for (name,) in rows]


def test_an_entry_waits_without_a_job_and_is_made_once_it_is_approved(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env, quantity=2)

    assert ("WAITING", False) == state_of(worker_env, approval_id)
    assert ([], []) == (worker_env.rows(ENTRIES), worker_env.venue.requests(PLACE))
    assert ["orders.lapse_approval"] == list_waiting_jobs(worker_env)
    result = approve(worker_env, operator, approval_id)

    assert (0, True) == (result.status, "BUY 2 MNQ H26 MARKET: FILLED" in result.out), result
    assert [("BUY", 2, "FILLED")] == worker_env.rows(ENTRIES)
    assert ("ORDERED", True) == state_of(worker_env, approval_id)
    assert 2 == worker_env.venue.position(MNQ)


def test_an_approved_entry_is_traced_to_its_alert(worker_env: WorkerEnv, operator: RunCommand) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env)
    approve(worker_env, operator, approval_id)

    assert [("alert", True, True, True)] == worker_env.rows(
        "SELECT orders.origin, orders.correlation_id = job.correlation_id, signal.alert_id = alert.id,"
        " signal.reason LIKE 'approved by %%' FROM orders JOIN signal ON signal.id = signal_id"
        " JOIN alert ON alert.id = alert_id JOIN job ON job.id = alert.job_id WHERE role = 'ENTRY'"
    )
    (row,) = operator("alerts", "list", "--json").json["alerts"]
    assert (["accepted"], ["FILLED"], True) == (
        list_verdicts(row),
        row["orders"],
        row["reason"].startswith("approved by"),
    )


def test_while_an_entry_waits_others_of_the_account_are_handled(worker_env: WorkerEnv, operator: RunCommand) -> None:
    require_approval(worker_env)
    first = ask(worker_env)
    second = ask(worker_env, action="sell")

    assert "waits for approval until" in operator("alerts", "list").words
    assert [("WAITING", False)] * 2 == [state_of(worker_env, one) for one in (first, second)]
    approve(worker_env, operator, second)
    assert -1 == worker_env.venue.position(MNQ)


def test_with_approval_off_again_an_entry_is_made_at_once(worker_env: WorkerEnv, operator: RunCommand) -> None:
    for switch in ("on", "off"):
        assert 0 == operator("accounts", "approval", "20001", switch).status
    worker_env.entry_alert()
    worker_env.run_due_jobs()

    assert [("BUY", 1, "FILLED")] == worker_env.rows(ENTRIES)


def test_what_a_person_types_never_waits(worker_env: WorkerEnv, operator: RunCommand) -> None:
    require_approval(worker_env)
    assert 0 == type_entry(worker_env, operator).status
    assert [] == worker_env.rows("SELECT id FROM entry_approval")


def test_an_entry_that_the_rules_deny_does_not_wait(worker_env: WorkerEnv) -> None:
    require_approval(worker_env)
    job_id = worker_env.entry_alert(quantity=6)
    worker_env.run_due_jobs()

    assert "quantity 6 is not between" in result_of(worker_env, job_id)
    assert [("BUY", 6, "DENIED")] == worker_env.rows(ENTRIES)
    assert [] == worker_env.rows("SELECT id FROM entry_approval")


def test_an_approval_that_is_not_decided_lapses_and_says_so(worker_env: WorkerEnv, operator: RunCommand) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env)
    early = worker_env.enqueue(LapseApproval(approval_id=approval_id))
    worker_env.runner.run(early)
    assert ("WAITING", False) == state_of(worker_env, approval_id)
    worker_env.execute(LAPSED)

    assert [] == operator("approvals", "--json").json["approvals"]
    assert ["LAPSED"] == [row["state"] for row in operator("approvals", "--all", "--json").json["approvals"]]
    late = operator("approvals", "approve", str(approval_id))
    assert (1, True) == (late.status, f"approval {approval_id} lapsed at " in late.error)
    for _ in range(2):
        assert "succeeded" == worker_env.run(LapseApproval(approval_id=approval_id))[0]
    assert ("LAPSED", False) == state_of(worker_env, approval_id)
    assert ("BUY", "denied", "it waited for approval, and lapsed after 300 s") == last_signal(worker_env)
    assert "lapsed after 300 s" in operator("alerts", "list").words
    assert [] == worker_env.rows(ENTRIES)


def test_an_approval_that_was_decided_does_not_lapse(worker_env: WorkerEnv, operator: RunCommand) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env)
    approve(worker_env, operator, approval_id)
    worker_env.execute(LAPSED)
    worker_env.run(LapseApproval(approval_id=approval_id))

    assert ("ORDERED", True) == state_of(worker_env, approval_id)


def test_an_entry_approved_twice_and_run_three_times_is_one_order(worker_env: WorkerEnv, operator: RunCommand) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env)
    approve(worker_env, operator, approval_id)
    again = operator("approvals", "approve", str(approval_id))
    for _ in range(2):
        state, result, _ = worker_env.run(EnterApproved(approval_id=approval_id, account_id=20001, alert_id=None))
        assert ("succeeded", True) == (state, "was made of it" in result["nothing_to_do"])

    assert (1, True) == (again.status, "was approved by " in again.error)
    assert [("BUY", 1, "FILLED")] == worker_env.rows(ENTRIES)
    assert 1 == worker_env.venue.position(MNQ)


def test_an_entry_that_was_not_approved_is_not_made_by_its_job(worker_env: WorkerEnv, operator: RunCommand) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env)
    request = EnterApproved(approval_id=approval_id, account_id=20001, alert_id=None)
    assert f"approval {approval_id} is WAITING" in (worker_env.run(request)[2] or "")
    operator("approvals", "reject", str(approval_id), "too", "late")

    assert f"approval {approval_id} is REJECTED" in (worker_env.run(request)[2] or "")
    assert [] == worker_env.rows(ENTRIES)


def test_exits_cancels_and_stop_changes_do_not_wait(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    worker_env.entry_alert(limit_price=20000)
    worker_env.run_due_jobs()
    require_approval(worker_env)
    for fields in ({"action": "cancel"}, {"action": "move_stop", "stop_loss_ticks": 100}, {"quantity": 1}):
        worker_env.critical_alert(**fields)
        worker_env.run_due_jobs()

    assert ["FILLED", "CANCELLED"] == [row[2] for row in worker_env.rows(ENTRIES)]
    assert 1 == worker_env.venue.position(MNQ)
    worker_env.critical_alert()
    worker_env.run_due_jobs()
    assert 0 == worker_env.venue.position(MNQ)
    assert [] == worker_env.rows("SELECT id FROM entry_approval")


def test_an_entry_that_only_makes_a_position_smaller_does_not_wait(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    require_approval(worker_env)
    worker_env.entry_alert(action="sell")
    worker_env.run_due_jobs()

    assert 1 == worker_env.venue.position(MNQ)
    assert [] == worker_env.rows("SELECT id FROM entry_approval")


def test_of_a_reversal_the_closing_part_is_made_at_once_and_only_the_rest_waits(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    hold(worker_env, 1)
    require_approval(worker_env)
    approval_id = ask(worker_env, action="sell", quantity=3)

    assert 0 == worker_env.venue.position(MNQ)
    assert [("SELL", 2)] == worker_env.rows("SELECT side, quantity FROM entry_approval")
    approve(worker_env, operator, approval_id)
    assert -2 == worker_env.venue.position(MNQ)


def test_a_limit_order_against_a_position_waits_whole(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    require_approval(worker_env)
    ask(worker_env, action="sell", quantity=2, limit_price=40000)

    assert 1 == worker_env.venue.position(MNQ)
    assert [("SELL", 2)] == worker_env.rows("SELECT side, quantity FROM entry_approval")


def test_a_target_position_closes_the_other_side_at_once_and_its_entry_waits(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    hold(worker_env, 1)
    require_approval(worker_env)
    approval_id: UUID = ask(worker_env, **strategy_fields(quantity=3, market_position="short", market_position_size=2))

    assert 0 == worker_env.venue.position(MNQ)
    approve(worker_env, operator, approval_id)
    assert -2 == worker_env.venue.position(MNQ)


def test_in_shadow_mode_an_approved_entry_is_recorded_and_not_sent(worker_env: WorkerEnv, operator: RunCommand) -> None:
    require_approval(worker_env)
    operator("accounts", "live", "20001", "shadow")
    approval_id = ask(worker_env)
    result = approve(worker_env, operator, approval_id)

    assert "SHADOW, would have been sent" in result.out
    assert [("BUY", 1, "SHADOW")] == worker_env.rows(ENTRIES)
    assert [] == worker_env.venue.requests(PLACE)
