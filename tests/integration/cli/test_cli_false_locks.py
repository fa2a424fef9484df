"""Locks by an amount that counted as a result and was none: `tickwork accounts balance-move` lifts them."""

from datetime import timedelta
from decimal import Decimal

import pytest

from shared.ledger.jobs.accounts import SnapshotAccounts
from tests.fixtures.alert_steps import hold
from tests.fixtures.operator import RunCommand
from tests.fixtures.watch import open_watch_run
from tests.fixtures.watched_position import entry_price, watch_once_at
from tests.fixtures.worker_env import WorkerEnv
from workers.risk import watch_run
from workers.risk.confirmation import NEXT_DAY_RUNS, SETTLING_RUNS
from workers.risk.enforcement import enforce_rules
from workers.risk.snapshots import read_accounts

MOVE = ("accounts", "balance-move", "20001")
LIMITS = """
    UPDATE account SET rule_changes = jsonb_build_object('max_loss_limit', '9000', 'weekly_loss_limit', '1500',
                                                         'daily_loss_limit', '1000')
"""
MARKS = """
    SELECT locked_on IS NOT NULL, week_locked_on IS NOT NULL, profit_locked_on IS NOT NULL,
           breached_market_at IS NOT NULL FROM account
"""


def watch(worker_env: WorkerEnv) -> None:
    """Run the watch twice, a second apart."""
    for _ in range(2):
        worker_env.write_quote()
        worker_env.watch()
        worker_env.execute("UPDATE account SET losses_seen_at = losses_seen_at - interval '1 second'")


def count_as_result(worker_env: WorkerEnv, amount: int) -> None:
    """Move the balance at the venue, which cannot be asked why: the amount counts as a result."""
    watch(worker_env)
    (balance,) = worker_env.rows("SELECT balance FROM account")[0]
    worker_env.venue.set_account(balance=str(balance + amount))
    worker_env.run(SnapshotAccounts())
    watch(worker_env)
    worker_env.execute(f"UPDATE account SET pending_runs = {2 * SETTLING_RUNS}")
    watch(worker_env)
    watch(worker_env)
    assert [(Decimal(amount),)] == worker_env.rows("SELECT unexplained_balance FROM account")


def enter(worker_env: WorkerEnv) -> str:
    job_id = worker_env.entry_alert()
    worker_env.run_due_jobs()
    return worker_env.job(job_id)[0]


def test_a_payout_that_counted_as_a_loss_locks_no_more_once_a_person_tells(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    worker_env.execute(LIMITS)
    count_as_result(worker_env, -2_000)
    assert [(True, True, False, False)] == worker_env.rows(MARKS)
    said = operator(*MOVE, "-2000", "--reason", "first payout")

    assert 0 == said.status, said.words
    assert "Lifted: daily loss limit, which only this amount had touched" in said.words
    watch(worker_env)
    assert [(False, False, False, False)] == worker_env.rows(MARKS)
    assert "succeeded" == enter(worker_env)
    (act,) = operator("accounts", "audit", "--json").json["acts"]
    assert ("balance_move", "first payout") == (act["act"], act["reason"])
    assert {"locked_on", "week_locked_on"} == {name for name, value in act["after"].items() if value is None}
    assert act["before"]["locked_on"] is not None
    assert 2 == len(worker_env.rows("SELECT 1 FROM account_event WHERE kind = 'lock_lifted'"))


def test_a_loss_that_touches_a_limit_by_itself_keeps_the_lock_that_a_payout_made(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    """The price falls after the lock and comes back: what it touched stays touched."""
    worker_env.execute(LIMITS)
    hold(worker_env, 2)
    worker_env.run(SnapshotAccounts())
    entry = entry_price(worker_env)
    count_as_result(worker_env, -2_000)
    watch_once_at(worker_env, entry - 260)  # 1,040 dollars
    watch_once_at(worker_env, entry)
    said = operator(*MOVE, "-2000", "--yes", "--json")

    assert ["weekly_loss_limit"] == said.json["lifted"]
    assert [(True, False, False, False)] == worker_env.rows(MARKS)


def test_a_deposit_that_counted_as_a_profit_ends_the_day_no_more(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute("""UPDATE account SET rule_changes = '{"daily_profit_target": "1000"}'""")
    count_as_result(worker_env, 1_500)
    assert [(False, False, True, False)] == worker_env.rows(MARKS)

    assert ["daily_profit_target"] == operator(*MOVE, "1500", "--yes", "--json").json["lifted"]
    assert [(False, False, False, False)] == worker_env.rows(MARKS)


def test_a_breach_by_a_reset_of_the_firm_is_cleared_once_its_mark_is_set(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    """From 53,000 to 50,000: by the old mark the loss limit level is there."""
    worker_env.venue.set_account(balance="53000")
    worker_env.run(SnapshotAccounts())
    worker_env.execute(
        "UPDATE account SET day_opening_balance = balance, high_water_mark = balance, unexplained_balance = 0"
    )
    count_as_result(worker_env, -3_000)
    assert [(True, False, False, True)] == worker_env.rows(MARKS)
    clear = ("accounts", "clear-breach", "20001", "--reason", "the firm has reset it")
    assert 1 == operator(*clear).status
    assert "The breach stays: if only this amount made it" in operator(*MOVE, "-3000", "--yes").words
    assert 1 == operator(*clear).status, "its mark is still 53,000"

    assert 0 == operator("accounts", "high-water-mark", "20001", "50000", "--yes").status
    assert 0 == operator(*clear).status
    watch(worker_env)
    assert [(False, False, False, False)] == worker_env.rows(MARKS)


@pytest.mark.parametrize("amount", ["-1500", "-2500", "2000"])
def test_a_lock_stays_if_the_amount_is_not_the_one_that_made_it(
    operator: RunCommand, worker_env: WorkerEnv, amount: str
) -> None:
    """With 1,500 fewer the day would still have lost 1,500, and 2,500 were not there."""
    worker_env.execute(LIMITS)
    worker_env.execute("UPDATE account SET rule_changes = rule_changes - 'weekly_loss_limit'")
    count_as_result(worker_env, -3_000 if amount == "-1500" else -2_000)

    assert [] == operator(*MOVE, amount, "--yes", "--json").json["lifted"]
    assert [(True, False, False, False)] == worker_env.rows(MARKS)


def test_a_loss_that_fills_explain_is_never_lifted(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute("""UPDATE account SET rule_changes = '{"daily_loss_limit": "1000"}'""")
    hold(worker_env, 2)
    worker_env.run(SnapshotAccounts())
    for _ in range(2):
        watch_once_at(worker_env, entry_price(worker_env) - 260)
        worker_env.execute("UPDATE account SET losses_seen_at = losses_seen_at - interval '1 second'")
    assert [(True, False, False, False)] == worker_env.rows(MARKS)

    assert [] == operator(*MOVE, "-2000", "--yes", "--json").json["lifted"]
    assert [(True, False, False, False)] == worker_env.rows(MARKS)


def test_a_payout_of_an_earlier_day_lifts_the_lock_of_its_week(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute(LIMITS)
    count_as_result(worker_env, -2_000)
    ((yesterday,),) = worker_env.rows("SELECT trading_day - 1 FROM account")
    worker_env.execute(
        "INSERT INTO account_day (account_id, trading_day, opening_balance, closing_balance) "
        "SELECT id, trading_day - 1, day_opening_balance, balance FROM account"
    )
    worker_env.execute(
        "UPDATE account SET locked_on = trading_day - 1, day_opening_balance = balance, unexplained_balance = 0"
    )
    watch(worker_env)
    assert "no ended trading day 2026-03-07" in operator(*MOVE, "-2000", "--day", "2026-03-07", "--yes").words
    assert "expected an ended trading day" in operator(*MOVE, "-2000", "--day", "2099-03-07", "--yes").words
    assert "add --yes" in operator(*MOVE, "-2000", "--day", str(yesterday)).words
    said = operator(*MOVE, "-2000", "--day", str(yesterday), "--yes")

    assert f"-2,000.00 of account 20001 (PRAC-V2-20001-11071848) is no result of {yesterday}" in said.words
    assert [(False,)] == worker_env.rows("SELECT week_locked_on IS NOT NULL FROM account")
    watch(worker_env)
    assert "succeeded" == enter(worker_env)
    assert [(yesterday, Decimal(-2_000))] == worker_env.rows("SELECT trading_day, amount FROM balance_move")


def pay_out_before_the_day_ends(worker_env: WorkerEnv) -> None:
    """Let a payout be pending as the day ends, before the first report of the next."""
    worker_env.execute(LIMITS)
    watch(worker_env)
    (balance,) = worker_env.rows("SELECT balance FROM account")[0]
    worker_env.venue.set_account(balance=str(balance - 2_000))
    worker_env.execute(
        "UPDATE account SET trading_day = trading_day - 1, balance = balance - 2000, unexplained_balance = 0, "
        "pending_balance = -2000, pending_runs = 5"
    )


def test_a_payout_that_is_pending_as_the_day_ends_locks_neither_the_next_day_nor_the_week(
    worker_env: WorkerEnv,
) -> None:
    pay_out_before_the_day_ends(worker_env)
    for _ in range(2):
        watch(worker_env)
    assert [(False, False, False, False)] == worker_env.rows(MARKS)

    worker_env.run(SnapshotAccounts())
    for _ in range(SETTLING_RUNS):
        watch(worker_env)
    worker_env.run_due_jobs()
    watch(worker_env)
    assert [(Decimal(-2_000), None)] == worker_env.rows("SELECT moved_today, pending_balance FROM account")
    assert [(False, False, False, False)] == worker_env.rows(MARKS)
    assert "succeeded" == enter(worker_env)


def test_a_limit_does_not_wait_for_ever_for_the_first_report_of_a_day(worker_env: WorkerEnv) -> None:
    pay_out_before_the_day_ends(worker_env)
    worker_env.execute(f"UPDATE account SET pending_runs = {NEXT_DAY_RUNS}")
    watch(worker_env)

    assert [(True, True, False, False)] == worker_env.rows(MARKS)


def test_a_run_of_the_watch_that_a_person_has_overtaken_locks_and_closes_nothing(
    operator: RunCommand, worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run has read the account and confirms its limits as a person tells that the amount was a payout."""
    worker_env.execute(LIMITS)
    hold(worker_env, 1)
    worker_env.run(SnapshotAccounts())
    watch(worker_env)
    (balance,) = worker_env.rows("SELECT balance FROM account")[0]
    worker_env.venue.set_account(balance=str(balance - 2_000))
    worker_env.run(SnapshotAccounts())
    watch(worker_env)
    worker_env.execute(f"UPDATE account SET pending_runs = {2 * SETTLING_RUNS}")
    worker_env.write_quote()
    worker_env.watch()  # the amount counts as a result, and touches a limit for the first time
    worker_env.execute("UPDATE account SET losses_seen_at = losses_seen_at - interval '1 second'")
    worker_env.write_quote()
    monkeypatch.setattr(watch_run, "LONGEST_RUN", timedelta(hours=1))  # however long the command takes
    with open_watch_run(worker_env.settings) as run:
        watched = read_accounts(run)
        assert 0 == operator(*MOVE, "-2000", "--yes").status
        for account_id, snapshot in watched.snapshots.items():
            assert 0 == enforce_rules(run, snapshot, watched.oldest_quote_at(account_id))

    assert [(False, False, False, False)] == worker_env.rows(MARKS)
    assert [] == worker_env.rows("SELECT 1 FROM flatten_request")
    watch(worker_env)
    assert [(False, False, False, False)] == worker_env.rows(MARKS)
