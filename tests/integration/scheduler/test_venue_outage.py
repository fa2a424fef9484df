"""An hour without the venue: the schedule's jobs are superseded, none is dead, and all is fresh right after it."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from scheduler.beat import Beat
from shared.db.engine import driver
from shared.ledger import recovery
from tests.fixtures.worker_env import WorkerEnv

STEP = timedelta(minutes=2)
OUTAGE = timedelta(hours=1)
_STEP = f"- interval '{STEP.total_seconds()} seconds'"
_JOB_TIMES = ("run_at", "enqueued_at", "expires_at", "failing_since", "started_at", "finished_at")
_SCHEDULE_TIMES = ("last_slot", "ran_at")


class SteppedSchedule:
    """A beat and a worker for whom STEP passes each time: all that is stored becomes older by it."""

    def __init__(self, worker_env: WorkerEnv) -> None:
        self._env = worker_env
        self._passed = timedelta(0)
        Beat(worker_env.ledger, worker_env.venue.clock).seed()

    def step(self) -> None:
        """Let STEP pass, run what the schedule asks for then, and every other job that is due, once each."""
        for table, columns in (("job", _JOB_TIMES), ("schedule", _SCHEDULE_TIMES)):
            self._env.execute(f"UPDATE {table} SET {', '.join(f'{name} = {name} {_STEP}' for name in columns)}")
        self._env.execute(
            f"UPDATE account SET reported_at = reported_at {_STEP}, reconciled_at = reconciled_at {_STEP}"
            f", compared_until_at = compared_until_at {_STEP}"
        )
        self._passed += STEP
        clock = self._env.venue.clock
        Beat(self._env.ledger, replace(clock, machine_origin=clock.machine_origin - self._passed)).tick()
        with self._env.ledger.engine.begin() as connection:
            recovery.expire(driver(connection))
        self.run_due()

    def run_due(self) -> None:
        """Run every job that is due now, and those that they enqueue, once."""
        tried: set[object] = set()
        while found := [
            job_id
            for (job_id,) in self._env.rows("SELECT id FROM job WHERE state = 'queued' AND run_at <= now() ORDER BY id")
            if job_id not in tried
        ]:
            for job_id in found:
                self._env.runner.run(job_id)
                tried.add(job_id)


def count_states(worker_env: WorkerEnv) -> Counter[str]:
    return Counter(dict(worker_env.rows("SELECT state, count(*) FROM job GROUP BY state")))


def test_an_hour_without_the_venue_leaves_no_dead_job_and_everything_fresh_right_after_it(
    worker_env: WorkerEnv,
) -> None:
    schedule = SteppedSchedule(worker_env)
    schedule.step()
    worker_env.venue.faults(kind="status", status=503, count=None)
    for _ in range(OUTAGE // STEP):
        schedule.step()

    during = count_states(worker_env)
    superseded = "SELECT name FROM job WHERE state = 'cancelled' AND error ~ 'superseded by job .*VenueDownError'"
    assert 0 == during["dead"]
    assert {"accounts.snapshot_accounts", "market_data.fetch_contract_bars"} <= {
        name for (name,) in worker_env.rows(superseded)
    }
    assert during["queued"] < 20  # what is queued is of the newest slots, not of an hour of them
    assert [(0,)] == worker_env.rows(
        "SELECT count(*) FROM account WHERE greatest(reported_at, reconciled_at) > now() - %s", OUTAGE - STEP
    )

    worker_env.venue.remove_faults()
    schedule.step()
    assert 0 == count_states(worker_env)["dead"]
    assert [(1,)] == worker_env.rows(
        "SELECT count(*) FROM account WHERE least(reported_at, reconciled_at) > now() - %s", STEP
    )
    fresh = worker_env.rows(
        "SELECT DISTINCT name FROM job WHERE state = 'succeeded' AND finished_at > now() - %s", STEP
    )
    assert {
        "accounts.snapshot_accounts",
        "orders.reconcile_account",
        "market_data.refresh_contracts",
        "market_data.fetch_contract_bars",
    } <= {name for (name,) in fresh}


def test_what_runs_when_the_next_slot_comes_is_left(worker_env: WorkerEnv) -> None:
    schedule = SteppedSchedule(worker_env)
    schedule.step()
    of_entry = "schedule = 'snapshot_accounts'"
    worker_env.execute(f"UPDATE job SET state = 'running', started_at = now() WHERE {of_entry}")
    schedule.step()

    assert [("running",), ("succeeded",)] == worker_env.rows(f"SELECT state FROM job WHERE {of_entry} ORDER BY id")


def test_an_exit_by_alert_waits_out_the_outage_and_an_entry_ends_with_its_time(worker_env: WorkerEnv) -> None:
    schedule = SteppedSchedule(worker_env)
    worker_env.venue.faults(kind="status", status=503, count=None)
    worker_env.execute("UPDATE account SET reconciled_at = NULL")
    exit_id = worker_env.critical_alert()
    entry_id = worker_env.entry_alert()
    worker_env.execute(f"UPDATE job SET expires_at = now() + interval '3 minutes' WHERE id = '{entry_id}'")
    schedule.step()
    assert ["queued", "queued"] == [worker_env.job(job_id)[0] for job_id in (exit_id, entry_id)]
    for _ in range(4):
        schedule.step()

    assert ["queued", "expired"] == [worker_env.job(job_id)[0] for job_id in (exit_id, entry_id)]
    worker_env.venue.remove_faults()
    schedule.step()
    worker_env.run_due_jobs()
    assert "succeeded" == worker_env.job(exit_id)[0]
