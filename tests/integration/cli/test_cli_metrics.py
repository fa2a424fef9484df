"""`tickwork metrics`: its figures equal those of the rows, in every section, of any span of time."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.clock import machine_now
from shared.db.metrics import rollups
from shared.ledger.jobs import job_names_with
from shared.ledger.jobs.upkeep import DoNothing, SendHeartbeat
from tests.fixtures.alert_steps import run_until
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv

PROBES = job_names_with("is_probe")
CALLS = """
    INSERT INTO api_call (endpoint, method, called_at, duration_ms, status, error, queue)
    SELECT '/api/Test/' || n % 3, 'POST', now() - n * interval '1 minute', 1 + (n * 37) % 400 / 3.0, 200,
           CASE WHEN n % 10 = 0 THEN 'refused' END, 'high' FROM generate_series(1, {}) AS n
"""
SHARES = "percentile_disc({}) WITHIN GROUP (ORDER BY duration_ms)"
OF_ROWS = f"""
    SELECT endpoint, count(*)::int, count(error)::int, {SHARES.format(0.5)}, {SHARES.format(0.95)},
           {SHARES.format(0.99)}, max(duration_ms) FROM api_call GROUP BY 1
"""  # constants of ours
KEYS = ("endpoint", "count", "error_count", "p50_ms", "p95_ms", "p99_ms", "max_ms")


@pytest.fixture
def traded(worker_env: WorkerEnv) -> WorkerEnv:
    """An alert of two contracts that is filled and guarded."""
    worker_env.entry_alert(quantity=2)
    run_until(worker_env, 2)
    return worker_env


def read(operator: RunCommand, *options: str) -> dict[str, Any]:
    result = operator("metrics", "--json", *options)
    assert 0 == result.status, result
    found: dict[str, Any] = result.json
    return found


def test_the_figures_of_an_hour_equal_those_of_the_rows(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute("DELETE FROM api_call")
    worker_env.execute(CALLS.format(50))
    expected = {row[0]: [*row[1:3], *map(float, row[3:])] for row in worker_env.rows(OF_ROWS)}
    found = read(operator)["api"]

    assert 3 == len(expected)
    assert expected == {row["endpoint"]: [row[name] for name in KEYS[1:]] for row in found}
    assert [row["p95_ms"] for row in found] == sorted((row["p95_ms"] for row in found), reverse=True)


def test_the_figures_of_two_days_come_from_the_sums_and_are_right_within_a_hundredth(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    worker_env.execute("DELETE FROM api_call")
    worker_env.execute(CALLS.format(60 * 24 * 2 - 120))
    expected = {row[0]: row[1:] for row in worker_env.rows(OF_ROWS)}
    slot = machine_now().replace(second=0, microsecond=0)
    worker_env.execute(f"INSERT INTO metric_progress VALUES (true, '{(slot - timedelta(days=2)).isoformat()}')")
    with worker_env.ledger.engine.begin() as connection:
        for _ in range(9):
            rollups.roll_up(connection, slot, PROBES)
    worker_env.execute("DELETE FROM api_call")
    found = read(operator, "--last", "2d")["api"]

    assert 3 == len(found)
    for row in found:
        count, errors, *exact = expected[row["endpoint"]]
        assert (count, errors) == (row["count"], row["error_count"])
        for name, value in zip(KEYS[3:], exact, strict=True):
            assert abs(Decimal(row[name]) - value) <= value * Decimal("0.0101"), (row, name)


def test_jobs_waits_and_the_steps_of_an_order_equal_their_rows(operator: RunCommand, traded: WorkerEnv) -> None:
    found = read(operator)

    jobs = dict(
        traded.rows(
            "SELECT name, max(milliseconds_between(started_at, finished_at))::float FROM job "
            "WHERE finished_at IS NOT NULL GROUP BY 1"
        )
    )
    assert jobs == {row["name"]: row["max_ms"] for row in found["jobs"]}
    assert {"high", "critical"} <= {row["queue"] for row in found["waits"]}
    ((sent, acknowledged),) = traded.rows(
        "SELECT milliseconds_between(created_at, submitted_at)::float, "
        "milliseconds_between(submitted_at, accepted_at)::float FROM orders WHERE role = 'ENTRY'"
    )
    steps = {row["step"]: row for row in found["order_steps"]}
    assert (1, sent) == (steps["decided_to_sent"]["count"], steps["decided_to_sent"]["p50_ms"])
    assert (1, acknowledged) == (steps["sent_to_acknowledged"]["count"], steps["sent_to_acknowledged"]["p99_ms"])
    assert {"received_to_sent", "acknowledged_to_filled"} <= set(steps)


@pytest.mark.parametrize(("side", "worse"), [("BUY", 1), ("SELL", -1)])
def test_slippage_is_counted_in_ticks_against_the_quote_at_the_verdict(
    operator: RunCommand, traded: WorkerEnv, side: str, worse: int
) -> None:
    traded.execute("UPDATE signal SET figures = figures || jsonb_build_object('price', '20000.00')")
    traded.execute(f"UPDATE orders SET side = '{side}', average_fill_price = 20000.75 WHERE role = 'ENTRY'")

    (row,) = read(operator)["slippage"]
    assert (1, 3.0 * worse, 3.0 * worse) == (row["count"], row["mean_ticks"], row["worst_ticks"])


def test_a_job_that_never_started_has_no_duration(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute("DELETE FROM job")
    worker_env.entry_alert()
    worker_env.execute("UPDATE job SET state = 'expired', finished_at = now(), lease_until = NULL")
    found = read(operator)

    assert [("alerts.handle_alert", 1, None)] == [(row["name"], row["count"], row["max_ms"]) for row in found["jobs"]]
    assert [("high", 1, 1, None)] == [
        (row["queue"], row["count"], row["error_count"], row["p50_ms"]) for row in found["waits"]
    ]
    assert "alerts.handle_alert" in operator("metrics").out


def test_no_count_of_ended_jobs_has_probes(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute("DELETE FROM job")
    worker_env.runner.run(worker_env.enqueue(SendHeartbeat()))
    before = read(operator)
    worker_env.runner.run(worker_env.enqueue(DoNothing()))
    after = read(operator)

    assert [0, 1] == [sum(row["succeeded"] for row in found["queues"]) for found in (before, after)]
    assert [0, 1] == [sum(row["count"] for row in found["jobs"]) for found in (before, after)]


def test_json_has_the_sections_that_are_asked_for(operator: RunCommand, traded: WorkerEnv) -> None:  # noqa: ARG001  # as below
    assert {"minutes", "feed", "gauges"} == set(read(operator, "--section", "feed"))
    assert {"minutes", "queues", "jobs", "waits"} == set(read(operator, "--section", "jobs"))


def test_the_table_of_jobs_names_each_of_them(operator: RunCommand, traded: WorkerEnv) -> None:
    text = operator("metrics", "--section", "jobs").out
    ended = traded.rows("SELECT DISTINCT name FROM job WHERE finished_at IS NOT NULL")

    assert [] == [name for (name,) in ended if name not in text]


def test_a_section_is_shown_alone(operator: RunCommand, traded: WorkerEnv) -> None:  # noqa: ARG001  # its rows
    text = operator("metrics", "--section", "orders").out

    assert "received to sent" in text
    assert "Slippage of market entries against the quote, last 1h" in text
    assert "Venue calls" not in text
    assert "Computer" not in text
    assert 2 == operator("metrics", "--section", "nothing").status


def test_the_section_of_bars_says_that_no_strategy_has_read_any(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute("DELETE FROM strategy_run")

    assert "No strategy has read bars.\n" == operator("metrics", "--section", "bars").out
