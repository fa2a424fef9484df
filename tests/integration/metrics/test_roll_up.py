"""The sums by minute, hour and day: equal to the rows, however late, often or at once they are made."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Thread

import pytest

from shared.clock import machine_now
from shared.db.alerts.probe_hook import PROBE_HOOK_ID
from shared.db.engine import driver
from shared.db.metrics import rollups
from shared.db.metrics.metrics import ApiCall, record_calls
from shared.fleets import Queue
from shared.ledger.jobs import job_names_with
from shared.ledger.jobs.metrics import RollUp
from tests.fixtures.alert_steps import run_until
from tests.fixtures.worker_env import WorkerEnv

ENDPOINT = "/api/Test/of_rollups"
SUMS = """
    SELECT period_start_at, count, error_count, total_ms, max_ms FROM metric_rollup
    WHERE name = %s AND span = %s ORDER BY 1
"""
EVERYTHING = "SELECT * FROM metric_rollup ORDER BY span, period_start_at, kind, name"


def insert_calls(worker_env: WorkerEnv, *calls: tuple[datetime, float, str | None]) -> None:
    """Record calls: when, how many milliseconds, and the error if it failed."""
    rows = [ApiCall(ENDPOINT, "POST", at, Decimal(str(ms)), 200, error, None, Queue.LOW) for at, ms, error in calls]
    with worker_env.ledger.engine.begin() as connection:
        record_calls(driver(connection), rows)


def roll_up(worker_env: WorkerEnv, slot: datetime, span: str = "minute") -> list[tuple[object, ...]]:
    """Run the job for the slot, and return the sums of the endpoint."""
    worker_env.enqueue(RollUp(slot=slot))
    worker_env.run_due_jobs()
    return worker_env.rows(SUMS, ENDPOINT, span)


def this_minute() -> datetime:
    return machine_now().replace(second=0, microsecond=0)


def test_a_minute_has_the_counts_and_durations_of_its_calls(worker_env: WorkerEnv) -> None:
    slot = this_minute()
    minute = slot - timedelta(minutes=1)
    insert_calls(
        worker_env,
        (minute, 10, None),
        (minute + timedelta(seconds=30), 20, None),
        (slot - timedelta(milliseconds=1), 90, "it timed out"),
        (slot, 500, None),
    )

    assert [(minute, 3, 1, 120, 90)] == roll_up(worker_env, slot)
    assert [(None,)] != worker_env.rows("SELECT rolled_up_until_at FROM metric_progress")


def test_late_calls_are_summed_up_and_none_counts_twice(worker_env: WorkerEnv) -> None:
    slot = this_minute()
    slot -= timedelta(minutes=slot.minute % 10)  # every ten minutes all that may be late is looked for
    minute = slot - timedelta(minutes=20)
    insert_calls(worker_env, (minute, 10, None))
    roll_up(worker_env, slot - timedelta(minutes=10))
    insert_calls(worker_env, (minute + timedelta(seconds=59), 30, None))  # its job ended a quarter of an hour later

    assert [(minute, 2, 0, 40, 30)] == roll_up(worker_env, slot)
    assert [(minute, 2, 0, 40, 30)] == roll_up(worker_env, slot)
    assert [(minute, 2, 0, 40, 30)] == roll_up(worker_env, slot - timedelta(minutes=3))  # a slot that ran late


@pytest.mark.parametrize("late_by", [3, 75])
def test_a_slot_that_runs_after_a_later_one_takes_nothing_from_hours_and_days(
    worker_env: WorkerEnv, late_by: int
) -> None:
    slot = this_minute()
    insert_calls(worker_env, *[(slot - timedelta(minutes=one), one, None) for one in range(1, 100)])
    worker_env.execute(f"INSERT INTO metric_progress VALUES (true, '{(slot - timedelta(hours=2)).isoformat()}')")
    roll_up(worker_env, slot)
    before = worker_env.rows(EVERYTHING)
    with worker_env.ledger.engine.begin() as connection:
        rollups.roll_up(connection, slot - timedelta(minutes=late_by), job_names_with("is_probe"))

    of_endpoint = [row for row in worker_env.rows(EVERYTHING) if ENDPOINT in row]
    assert 99 < len(of_endpoint)
    assert [row for row in before if ENDPOINT in row] == of_endpoint


def test_hours_and_days_are_the_sums_of_their_minutes(worker_env: WorkerEnv) -> None:
    day = this_minute().replace(hour=0, minute=0) - timedelta(days=1)
    calls = [(day + timedelta(minutes=one), 10 + one % 7, "failed" if one % 50 == 0 else None) for one in range(180)]
    insert_calls(worker_env, *calls)
    worker_env.execute(f"INSERT INTO metric_progress (rolled_up_until_at) VALUES ('{day.isoformat()}')")
    with worker_env.ledger.engine.begin() as connection:
        for hour in range(1, 5):
            rollups.roll_up(connection, day + timedelta(hours=hour), [])

    hours = worker_env.rows(SUMS, ENDPOINT, "hour")
    assert [60, 60, 60] == [row[1] for row in hours]
    assert 180 == len(worker_env.rows(SUMS, ENDPOINT, "minute"))
    assert [(day, 180, 4, sum(ms for _, ms, _ in calls), 16)] == worker_env.rows(SUMS, ENDPOINT, "day")


@pytest.mark.parametrize("span", ["minute", "hour", "day"])
def test_percentiles_of_each_span_are_those_of_the_rows_within_a_hundredth(worker_env: WorkerEnv, span: str) -> None:
    hour = (this_minute() - timedelta(hours=1)).replace(minute=0)
    insert_calls(worker_env, *[(hour + timedelta(milliseconds=one), 0.02 * 1.011**one, None) for one in range(1500)])
    with worker_env.ledger.engine.begin() as connection:
        rollups.roll_up(connection, hour + timedelta(minutes=5), [])
    rows = worker_env.rows(
        "SELECT share, percentile_disc(share) WITHIN GROUP (ORDER BY duration_ms),"
        " (SELECT percentile_of(buckets, counts, share::numeric) FROM metric_rollup WHERE span = %s AND name = %s)"
        " FROM api_call, unnest(ARRAY[0.01, 0.5, 0.95, 0.99, 1]::double precision[]) AS share"
        " WHERE endpoint = %s GROUP BY share",
        span, ENDPOINT, ENDPOINT,
    )  # fmt: skip

    assert 5 == len(rows)
    for share, exact, rough in rows:
        assert abs(rough - exact) <= exact * Decimal("0.0101"), share


def test_an_alert_is_in_the_sums_of_every_kind_and_they_equal_the_rows(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=2)
    run_until(worker_env, 2)
    slot = this_minute() + timedelta(minutes=1)
    with worker_env.ledger.engine.begin() as connection:
        rollups.roll_up(connection, slot, [])

    sums = {
        (kind, name): (count, total)
        for kind, name, count, total in worker_env.rows(
            "SELECT kind, name, sum(count)::int, sum(total_ms) FROM metric_rollup WHERE span = 'minute' GROUP BY 1, 2"
        )
    }
    jobs = worker_env.rows(
        "SELECT name, count(*)::int, coalesce(sum(milliseconds_between(started_at, finished_at)), 0) FROM job"
        " WHERE finished_at IS NOT NULL GROUP BY 1"
    )
    assert {("job", name): (count, total) for name, count, total in jobs} == {
        key: value for key, value in sums.items() if key[0] == "job"
    }
    calls = worker_env.rows("SELECT endpoint, count(*)::int, sum(duration_ms) FROM api_call GROUP BY 1")
    assert {("api", name): (count, total) for name, count, total in calls} == {
        key: value for key, value in sums.items() if key[0] == "api"
    }
    ((sent, acknowledged, filled, whole),) = worker_env.rows(
        "SELECT milliseconds_between(created_at, submitted_at), milliseconds_between(submitted_at, accepted_at),"
        " milliseconds_between(accepted_at, (SELECT recorded_at FROM fill)),"
        " milliseconds_between((SELECT received_at FROM alert), submitted_at) FROM orders WHERE role = 'ENTRY'"
    )
    assert (1, sent) == sums["order", "decided_to_sent"]
    assert (1, acknowledged) == sums["order", "sent_to_acknowledged"]
    assert (1, filled) == sums["order", "acknowledged_to_filled"]
    assert (1, whole) == sums["alert", "received_to_sent"]


def test_what_has_no_duration_is_counted_and_is_in_no_bucket(worker_env: WorkerEnv) -> None:
    worker_env.execute("DELETE FROM job")
    worker_env.entry_alert()
    worker_env.execute("UPDATE job SET state = 'expired', finished_at = now(), lease_until = NULL")
    with worker_env.ledger.engine.begin() as connection:
        rollups.roll_up(connection, this_minute() + timedelta(minutes=1), [])

    sums = "SELECT DISTINCT kind, count, max_ms, buckets, counts FROM metric_rollup ORDER BY kind"
    found = [row for row in worker_env.rows(sums) if row[0] in {"alert", "job", "wait"}]
    assert [(kind, 1, None, [], []) for kind in ("alert", "job", "wait")] == found


def test_probes_are_left_out_as_they_are_deleted_before_their_minute_is_final(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    run_until(worker_env, 1)
    worker_env.execute("SET session_replication_role = replica")
    worker_env.execute(
        f"INSERT INTO hook SELECT (jsonb_populate_record(h, jsonb_build_object('id', '{PROBE_HOOK_ID}',"
        " 'name', 'probe', 'token_hash', '\\x00'))).* FROM hook h LIMIT 1 ON CONFLICT DO NOTHING"
    )
    worker_env.execute(f"UPDATE alert SET hook_id = '{PROBE_HOOK_ID}'")
    with worker_env.ledger.engine.begin() as connection:
        rollups.roll_up(connection, this_minute() + timedelta(minutes=1), ["orders.poll_fills"])

    names = {name for (name,) in worker_env.rows("SELECT name FROM metric_rollup WHERE kind = 'job'")}
    assert "orders.place_order" in names
    assert not {"alerts.handle_alert", "orders.poll_fills"} & names
    assert [] == worker_env.rows("SELECT 1 FROM metric_rollup WHERE kind = 'alert'")


def test_two_rollups_at_once_end_in_the_rows_of_one(worker_env: WorkerEnv) -> None:
    slot = this_minute()
    insert_calls(worker_env, *[(slot - timedelta(seconds=one), one, None) for one in range(1, 600)])

    def run() -> None:
        with worker_env.ledger.engine.begin() as connection:
            rollups.roll_up(connection, slot, [])

    run_together(run, 4)
    first = worker_env.rows(EVERYTHING)
    run()

    assert first == worker_env.rows(EVERYTHING)
    of_day = "SELECT sum(count)::int FROM metric_rollup WHERE span = 'day' AND name = %s"
    assert [(599,)] == worker_env.rows(of_day, ENDPOINT)


def run_together(run: Callable[[], None], count: int) -> None:
    """Run something in so many threads at once."""
    threads = [Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def test_after_a_pause_of_weeks_no_sum_is_made_again_from_rows_that_are_deleted(worker_env: WorkerEnv) -> None:
    slot = this_minute()
    stopped = slot - timedelta(days=9)
    insert_calls(worker_env, (stopped - timedelta(minutes=5), 5, None))
    with worker_env.ledger.engine.begin() as connection:
        rollups.roll_up(connection, stopped, [])
    before = worker_env.rows(SUMS, ENDPOINT, "day")
    worker_env.execute("DELETE FROM api_call")
    worker_env.execute("DELETE FROM metric_rollup WHERE span = 'minute'")
    insert_calls(worker_env, (slot - timedelta(minutes=2), 7, None))
    for _ in range(30):
        with worker_env.ledger.engine.begin() as connection:
            rollups.roll_up(connection, slot, [])

    assert 1 == len(before)
    assert before == worker_env.rows(SUMS, ENDPOINT, "day")[:1]
    assert [(slot - timedelta(minutes=2), 1)] == [row[:2] for row in worker_env.rows(SUMS, ENDPOINT, "minute")]


def test_after_a_pause_of_days_the_sums_catch_up_some_hours_a_run(worker_env: WorkerEnv) -> None:
    slot = this_minute()
    insert_calls(worker_env, (slot - timedelta(hours=20), 5, None), (slot - timedelta(minutes=2), 7, None))
    long_ago = (slot - timedelta(hours=24)).isoformat()
    worker_env.execute(f"INSERT INTO metric_progress (rolled_up_until_at) VALUES ('{long_ago}')")
    for _ in range(5):
        found = roll_up(worker_env, slot)

    assert [slot - timedelta(hours=20), slot - timedelta(minutes=2)] == [row[0] for row in found]


@pytest.mark.parametrize("progress", [None, timedelta(seconds=30)])
def test_slots_within_minutes_are_those_of_their_minutes(worker_env: WorkerEnv, progress: timedelta | None) -> None:
    first = this_minute() - timedelta(minutes=12)
    if progress is not None:
        worker_env.execute(f"INSERT INTO metric_progress VALUES (true, '{(first + progress).isoformat()}')")
    calls = [first + timedelta(minutes=one // 2, seconds=15 + one % 2 * 30) for one in range(20)]
    insert_calls(worker_env, *[(at, 10, None) for at in calls])
    for half in range(1, 21):
        found = roll_up(worker_env, first + timedelta(seconds=30 * half))

    assert [(first + timedelta(minutes=one), 2) for one in range(10)] == [row[:2] for row in found]
    assert {("succeeded",)} == set(worker_env.rows("SELECT state FROM job WHERE name = 'metrics.roll_up'"))


@pytest.mark.parametrize("ahead", [timedelta(minutes=90), timedelta(days=2)])
def test_after_the_clock_was_set_back_nothing_is_left_out(worker_env: WorkerEnv, ahead: timedelta) -> None:
    slot = this_minute()
    worker_env.execute(f"INSERT INTO metric_progress VALUES (true, '{(slot + ahead).isoformat()}')")
    insert_calls(worker_env, (slot - timedelta(minutes=1), 10, None))

    assert [(slot - timedelta(minutes=1), 1)] == [row[:2] for row in roll_up(worker_env, slot)]
    ((until,),) = worker_env.rows("SELECT rolled_up_until_at FROM metric_progress")
    assert slot <= until <= this_minute() + timedelta(minutes=1)


def test_a_slot_of_days_ahead_leaves_nothing_out(worker_env: WorkerEnv) -> None:
    slot = this_minute()
    roll_up(worker_env, slot + timedelta(days=2))
    insert_calls(worker_env, (slot - timedelta(minutes=1), 10, None))

    assert [(slot - timedelta(minutes=1), 1)] == [row[:2] for row in roll_up(worker_env, slot)]


def test_calls_that_come_late_are_summed_up_whatever_the_period_of_the_schedule(worker_env: WorkerEnv) -> None:
    slot = this_minute()
    slot -= timedelta(minutes=slot.minute % 10 - 1) if slot.minute % 10 else timedelta(minutes=9)  # none ends in 0
    minute = slot - timedelta(minutes=25)
    roll_up(worker_env, slot - timedelta(minutes=7))
    insert_calls(worker_env, (minute, 10, None))

    assert [(minute, 1)] == [row[:2] for row in roll_up(worker_env, slot)]
