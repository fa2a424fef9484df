"""The retention of rows: what is deleted after a time, and what stays for good."""

from collections.abc import Sequence

from shared.db.upkeep.retention import TEMPORARY_EVENTS, delete_old
from tests.fixtures.worker_env import WorkerEnv

PROBES = ("upkeep.canary",)
ADD_JOBS = """
    INSERT INTO job (id, name, queue, arguments, state, max_attempts, sequence_id, correlation_id, finished_at)
    SELECT gen_random_uuid(), '{name}', 'low', '{{}}', '{state}', 3, gen_random_uuid(), gen_random_uuid(),
           now() - interval '1 day' * days
    FROM unnest('{days}'::float[]) AS days
"""
DAYS_OF_JOBS = """
    SELECT round(extract(epoch FROM now() - finished_at) / 86400)::integer AS days FROM job
    WHERE name = %s AND state = %s ORDER BY days
"""


def delete(worker_env: WorkerEnv) -> dict[str, int]:
    return dict(delete_old(worker_env.ledger.engine, PROBES))


def add_jobs(worker_env: WorkerEnv, name: str, state: str, days: Sequence[float]) -> None:
    worker_env.execute(ADD_JOBS.format(name=name, state=state, days=f"{{{','.join(map(str, days))}}}"))


def test_ended_jobs_are_kept_for_two_weeks_and_dead_ones_for_ninety_days(worker_env: WorkerEnv) -> None:
    add_jobs(worker_env, "orders.place_order", "succeeded", [13, 15, 91])
    add_jobs(worker_env, "orders.place_order", "dead", [13, 15, 89, 91])

    deleted = delete(worker_env)

    assert [(13,)] == worker_env.rows(DAYS_OF_JOBS, "orders.place_order", "succeeded")
    assert [(13,), (15,), (89,)] == worker_env.rows(DAYS_OF_JOBS, "orders.place_order", "dead")
    assert (2, 1) == (deleted["job"], deleted["dead jobs"])


def test_of_old_probes_the_newest_success_and_failure_stay(worker_env: WorkerEnv) -> None:
    add_jobs(worker_env, "upkeep.canary", "succeeded", [0, 1, 2, 3])
    add_jobs(worker_env, "upkeep.canary", "failed", [4, 5])

    delete(worker_env)

    assert [(0,)] == worker_env.rows(DAYS_OF_JOBS, "upkeep.canary", "succeeded")
    assert [(4,)] == worker_env.rows(DAYS_OF_JOBS, "upkeep.canary", "failed")


def test_more_than_one_chunk_is_deleted(worker_env: WorkerEnv) -> None:
    worker_env.execute("INSERT INTO job_key SELECT n, gen_random_uuid(), now() FROM generate_series(1, 10_001) AS n")

    assert 10_001 == delete(worker_env)["job_key"]


def test_a_worker_is_forgotten_a_week_after_its_last_heartbeat(worker_env: WorkerEnv) -> None:
    worker_env.execute(
        "INSERT INTO worker (id, fleet, host, process_id, version, started_at, seen_at)"
        " SELECT gen_random_uuid(), name, 'host', 1, '0.2', now() - interval '30 days', now() - seen"
        " FROM (VALUES ('silent', interval '8 days'), ('back soon', interval '6 days'), ('alive', interval '1 second'))"
        " AS one (name, seen)"
    )

    delete(worker_env)

    found = worker_env.rows("SELECT fleet FROM worker WHERE host = 'host' ORDER BY fleet")
    assert [("alive",), ("back soon",)] == found


def test_account_snapshots_are_thinned_to_one_an_hour_after_a_week_and_one_a_day_after_ninety(
    worker_env: WorkerEnv,
) -> None:
    account = worker_env.venue.account_id
    worker_env.execute("DELETE FROM account_snapshot")
    worker_env.execute(
        f"INSERT INTO account_snapshot SELECT {account}, at, 50000, true FROM generate_series("
        "timestamptz '2026-01-01 00:00Z', '2026-06-30 00:00Z', interval '20 minutes') AS at"
    )

    delete(worker_env)

    count = "SELECT count(*) FROM account_snapshot WHERE taken_market_at >= %s AND taken_market_at < %s"
    assert [(1,)] == worker_env.rows(count, "2026-02-01 00:00Z", "2026-02-02 00:00Z")
    assert [(24,)] == worker_env.rows(count, "2026-05-01 00:00Z", "2026-05-02 00:00Z")
    assert [(72,)] == worker_env.rows(count, "2026-06-27 00:00Z", "2026-06-28 00:00Z")
    assert 0 == sum(number for name, number in delete(worker_env).items() if name.startswith("account_snapshot"))


def test_events_of_a_moment_are_deleted_after_ninety_days_and_what_people_and_limits_did_stays(
    worker_env: WorkerEnv,
) -> None:
    kept = ("halted", "live_on", "flatten_requested", "balance_moved", "breach_cleared")
    for kind in (*TEMPORARY_EVENTS, *kept):
        worker_env.execute(
            "INSERT INTO account_event (id, account_id, kind, message, happened_at) SELECT gen_random_uuid(),"
            f" {worker_env.venue.account_id}, '{kind}', '', now() - interval '1 day' * days"
            " FROM unnest('{89,91}'::integer[]) AS days"
        )

    assert len(TEMPORARY_EVENTS) == delete(worker_env)["account_event"]
    old = "SELECT kind FROM account_event WHERE happened_at < now() - interval '90 days' ORDER BY kind"
    assert [(kind,) for kind in sorted(kept)] == worker_env.rows(old)


def test_evaluations_of_strategies_are_kept_for_ninety_days(worker_env: WorkerEnv) -> None:
    worker_env.execute(
        "INSERT INTO strategy_run (strategy, contract_id, closed_until_market_at, decision, reason, duration_ms,"
        " evaluated_at) SELECT 'one', (SELECT min(id) FROM contract), now() - interval '1 day' * days, 'none', '', 1,"
        " now() - interval '1 day' * days FROM unnest('{89,91}'::integer[]) AS days"
    )

    assert 1 == delete(worker_env)["strategy_run"]
