"""Failures found in earlier trading systems, by their users' complaints: each is now a test, `test_complaint_N`.

The numbers are those of one list; the tests of 1, 2, 3, 7, 10 and 14 are in the files of their subjects.
"""

import threading
from decimal import Decimal

import psycopg

from shared.clock import machine_now
from shared.db.market_data import contracts
from shared.domain.market_data.contract import Contract
from shared.ledger.jobs.orders import ApplyExecutionReports, ReconcileAccounts
from tests.fixtures.entries import GUARDED
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

PLACE = "/api/Order/place"
WAITS_FOR_A_LOCK = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def test_complaint_4_an_order_is_found_again_after_a_network_error_and_a_restart(worker_env: WorkerEnv) -> None:
    """The answer is lost, the worker dies, and only the rows in Postgres are left."""
    worker_env.venue.faults(path=PLACE, kind="lose_answer_after")
    worker_env.runner.run(worker_env.entry_alert(quantity=2))
    worker_env.execute("DELETE FROM job WHERE state IN ('queued', 'running')")
    worker_env.execute("UPDATE account SET reconciled_at = NULL")
    worker_env.execute("UPDATE orders SET submitted_at = submitted_at - interval '1 minute' WHERE role = 'ENTRY'")
    worker_env.run(ReconcileAccounts())

    assert [("FILLED", 2)] == worker_env.rows("SELECT state, filled_quantity FROM orders WHERE role = 'ENTRY'")
    assert 2 == worker_env.venue.position(MNQ)
    assert [("LONG", 2)] == worker_env.rows("SELECT direction, quantity FROM position")


def test_complaint_5_a_fill_is_recorded_once_its_table_is_no_longer_locked(worker_env: WorkerEnv) -> None:
    """Another session locks the table while the fill is reported: the writer waits, and no trade is lost."""
    worker_env.runner.run(worker_env.entry_alert())
    with psycopg.connect(worker_env.settings.database_url) as other:
        other.execute("LOCK TABLE fill IN ACCESS EXCLUSIVE MODE")
        assert [("WORKING",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'ENTRY'")  # not reported yet

        def release_lock() -> None:
            until(lambda: [] != worker_env.rows(WAITS_FOR_A_LOCK), 60, "a writer that waits")
            other.rollback()

        release = threading.Thread(target=release_lock)
        release.start()
        worker_env.run_due_jobs()
        release.join()

    assert [("LONG", 1)] == worker_env.rows("SELECT direction, quantity FROM position")
    assert [(1,)] == worker_env.rows("SELECT quantity FROM fill")


def test_complaint_6_with_a_dead_feed_nothing_is_entered_and_everything_can_be_closed(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.redis.flushdb()
    waiting = worker_env.entry_alert()
    sent = len(worker_env.venue.requests(PLACE))
    worker_env.runner.run(waiting)
    assert "no fresh quote" in (worker_env.job(waiting)[2] or "")
    assert sent == len(worker_env.venue.requests(PLACE))

    worker_env.runner.run(worker_env.flatten())
    assert 0 == worker_env.venue.position(MNQ)


def test_complaint_8_an_entry_uses_the_contract_that_the_venue_marks_as_active(
    worker_env: WorkerEnv,
) -> None:
    wrong_month = Contract("CON.F.US.MNQ.M26", "MNQM6", "MNQ", Decimal("0.25"), Decimal("0.5"), is_active=True)
    with worker_env.ledger.engine.begin() as connection:
        contracts.store(connection, [wrong_month])
    refused = worker_env.entry_alert()
    worker_env.run_due_jobs()

    assert "no single active contract of MNQ" in (worker_env.job(refused)[2] or "")
    worker_env.execute("UPDATE contract SET is_active = false WHERE id = 'CON.F.US.MNQ.M26'")
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    assert [MNQ] == [body["contractId"] for body in worker_env.venue.requests(PLACE)]


def test_complaint_9_a_pushed_fill_is_booked_and_guarded_without_a_request(worker_env: WorkerEnv) -> None:
    """The documents are those of the hub; between them and the position no request goes to the venue."""
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    (reported,) = worker_env.venue.post("/api/Trade/search", accountId=worker_env.venue.account_id)["trades"]
    worker_env.execute("DELETE FROM fill")
    worker_env.execute("UPDATE position SET quantity = 0, direction = 'FLAT', average_price = NULL")
    request_count = len(worker_env.venue.requests("/api/Position/searchOpen"))
    worker_env.execute("TRUNCATE job_key, job")
    worker_env.run(
        ApplyExecutionReports(account_id=worker_env.venue.account_id, reported_at=machine_now(), fills=[reported])
    )

    assert [("LONG", 1)] == worker_env.rows("SELECT direction, quantity FROM position")
    assert [("the bracket's stop",)] == worker_env.rows("SELECT guarded_by FROM fill")
    assert request_count == len(worker_env.venue.requests("/api/Position/searchOpen"))
    assert [] == worker_env.rows(GUARDED)  # no job was needed
