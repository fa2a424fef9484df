"""The risk monitor: of several one is active, and none acts with a lease that it has lost."""

import socket

import psycopg
import pytest

from shared.db.accounts import accounts
from shared.db.engine import DATABASE_ERRORS
from shared.db.risk.monitor_lease import try_acquire
from shared.errors import LeaseLostError
from tests.fixtures.monitors import Monitors
from tests.fixtures.processes import until
from tests.fixtures.watch import open_watch_run
from tests.fixtures.worker_env import WorkerEnv
from workers.risk import watch_run
from workers.risk.watch import watch_once
from workers.risk.watch_run import WatchRun

ACTIVE = "SELECT pid FROM risk_monitor"
BLOCKED = "SELECT block_reason FROM account"
LOST = (LeaseLostError, *DATABASE_ERRORS)


def require_watch(monitors: Monitors) -> None:
    """Wait until a run notices that the account's reason for being blocked has passed."""
    monitors.worker_env.execute("UPDATE account SET block_reason = 'passed'")
    until(lambda: monitors.worker_env.rows(BLOCKED) != [("passed",)], what="a run of the watch")


def acquire(run: WatchRun) -> None:
    with run.begin() as connection:
        assert try_acquire(connection)


def test_of_three_monitors_one_watches_and_the_others_take_over_when_it_is_killed(monitors: Monitors) -> None:
    programs = [monitors.start() for _ in range(3)]
    for _ in range(2):
        until(lambda: monitors.worker_env.rows(ACTIVE) != [])
        require_watch(monitors)
        ((active,),) = monitors.worker_env.rows(ACTIVE)
        assert 1 == len(monitors.list_sessions_with_lease())
        (leader,) = [program for program in programs if program.pid == active]
        leader.kill()
        programs.remove(leader)
        monitors.wait_until_replaced(leader)

    require_watch(monitors)
    assert [(programs[0].pid,)] == monitors.worker_env.rows(ACTIVE)


def test_a_monitor_that_stops_lets_another_watch_at_once_and_the_last_leaves_no_row(monitors: Monitors) -> None:
    first, second = monitors.start(), monitors.start()
    monitors.wait_until_active(first)
    assert 0 == first.stop()
    monitors.wait_until_active(second)

    assert 0 == second.stop()
    assert [] == monitors.worker_env.rows(ACTIVE)


def test_a_frozen_monitor_is_replaced_and_stands_by_once_it_goes_on(monitors: Monitors) -> None:
    first, second = monitors.start(), monitors.start()
    monitors.wait_until_active(first)
    first.freeze()
    monitors.wait_until_active(second)
    first.resume()
    until(lambda: "this one stands by" in first.log.read_text(), what="the first to stand by")

    require_watch(monitors)
    assert [(second.pid,)] == monitors.worker_env.rows(ACTIVE)
    assert 1 == len(monitors.list_sessions_with_lease())
    assert [(True,)] == monitors.worker_env.rows("SELECT max_delay > interval '1 second' FROM risk_monitor")


def test_a_run_that_froze_in_a_transaction_commits_nothing_after_another_took_over(monitors: Monitors) -> None:
    account_id = monitors.worker_env.venue.account_id
    with open_watch_run(monitors.worker_env.settings, ends_when_idle=True) as run:
        acquire(run)
        other = monitors.start()

        def act_late() -> None:
            with run.transaction("nothing") as tx:
                accounts.record_event(tx.connection, account_id, "a test", "late")
                monitors.wait_until_active(other)

        with pytest.raises(DATABASE_ERRORS):
            act_late()
        assert run.is_lost
        with pytest.raises(LOST):
            watch_once(run)

    assert [] == monitors.worker_env.rows("SELECT 1 FROM account_event WHERE kind = 'a test'")


def test_a_run_that_froze_between_two_transactions_does_nothing_after_another_took_over(monitors: Monitors) -> None:
    with open_watch_run(monitors.worker_env.settings, ends_when_idle=True) as run:
        acquire(run)
        other = monitors.start()
        monitors.wait_until_active(other)
        other.kill()  # the lease is free again: the run must not get it back by connecting again

        for _ in range(2):
            with pytest.raises(LOST):
                watch_once(run)


def test_a_run_that_began_long_ago_acts_no_more(worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer that slept wakes up with the prices of the evening."""
    monkeypatch.setattr(watch_run, "LONGEST_RUN", -watch_run.LONGEST_RUN)

    with pytest.raises(LeaseLostError, match="began more than"):
        worker_env.watch()


def test_an_error_in_a_run_or_a_lost_session_does_not_end_the_program(monitors: Monitors) -> None:
    program = monitors.start()
    monitors.wait_until_active(program)
    monitors.worker_env.execute("ALTER TABLE position RENAME TO gone")
    until(lambda: "a run of the watch failed" in program.log.read_text(), what="a failed run")
    ((since,),) = monitors.worker_env.rows("SELECT ran_at FROM risk_monitor")
    monitors.worker_env.execute("ALTER TABLE gone RENAME TO position")
    until(lambda: monitors.worker_env.rows("SELECT 1 FROM risk_monitor WHERE ran_at > %s", since) != [])

    (session,) = monitors.list_sessions_with_lease()
    monitors.worker_env.rows("SELECT pg_terminate_backend(%s)", session)
    until(lambda: monitors.list_sessions_with_lease() not in ([], [session]), what="a new session")
    require_watch(monitors)
    assert program.is_alive()
    assert [(program.pid,)] == monitors.worker_env.rows(ACTIVE)


def test_a_lock_on_its_own_row_keeps_it_from_nothing(monitors: Monitors) -> None:
    program = monitors.start()
    monitors.wait_until_active(program)
    with psycopg.connect(monitors.worker_env.settings.require_database()) as session:
        session.execute("LOCK TABLE risk_monitor IN EXCLUSIVE MODE")
        require_watch(monitors)
        assert 0 == program.stop()


def test_rules_are_watched_while_redis_does_not_answer(long_two: WorkerEnv, monitors: Monitors) -> None:
    """It accepts connections and says nothing: the watch goes on without prices, and blocks entries for that."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monitors.start(REDIS_URL=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        until(lambda: "without a fresh price" in str(long_two.rows(BLOCKED)), what="the block")

        require_watch(monitors)
