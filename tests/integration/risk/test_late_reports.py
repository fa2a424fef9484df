"""A balance whose report comes long after its fill, or never: the fill explains it, and the firm has moved nothing."""

from decimal import Decimal

from shared.ledger.jobs.accounts import SnapshotAccounts
from shared.ledger.jobs.orders import ReconcileAccount
from tests.fixtures.watched_position import entry_price, watch_once_at
from tests.fixtures.worker_env import WorkerEnv
from workers.risk.confirmation import SETTLING_RUNS


def test_a_balance_whose_report_is_late_is_asked_for_before_it_counts_as_moved(long_two: WorkerEnv) -> None:
    entry = entry_price(long_two)
    long_two.run(SnapshotAccounts())
    watch_once_at(long_two, entry)
    long_two.venue.move_price(entry + 100)
    long_two.venue.close_position(1)  # the report of its balance is lost
    long_two.run(ReconcileAccount(account_id=long_two.venue.account_id))
    for _ in range(SETTLING_RUNS):
        watch_once_at(long_two, entry)
    assert [(SETTLING_RUNS,)] == long_two.rows("SELECT pending_runs FROM account")
    long_two.run_due_jobs()
    watch_once_at(long_two, entry)

    assert [("succeeded", {"balance": "is another one by now"})] == long_two.rows(
        "SELECT state, result FROM job WHERE name = 'accounts.check_balance'"
    )
    assert [] == long_two.rows("SELECT amount FROM balance_move")
    assert [(None, 0, Decimal(0))] == long_two.rows("SELECT pending_balance, pending_runs, moved_today FROM account")
