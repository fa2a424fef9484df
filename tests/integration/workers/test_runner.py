"""Jobs that return, raise or expire: one runner, a real ledger, no Celery."""

from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from shared.db.engine import driver
from shared.errors import (
    AmbiguousOutcomeError,
    CredentialsRefusedError,
    InvalidAlertError,
    MarketClosedError,
    OrderRejectedError,
    PositionMismatchError,
    RateLimitedError,
    RetryableError,
    RiskLimitError,
    VenueDownError,
)
from shared.hot.connection import RedisUnavailableError
from shared.ledger.recovery import expire
from tests.fixtures.runner_env import WORKER, Drill, RunnerEnv, raise_error
from workers.context import Context
from workers.recording import RETRY_BASE


def test_the_return_value_of_a_job_is_its_result(runner_env: RunnerEnv) -> None:
    row = runner_env.run_function(lambda ctx: {"process": ctx.job.worker.process_id, "waited": timedelta(seconds=90)})

    assert ("succeeded", {"process": WORKER.process_id, "waited": "PT90S"}, None) == (
        row["state"],
        row["result"],
        row["error"],
    )
    assert (1, None) == (row["attempt"], row["lease_until"])
    assert row["finished_at"] >= row["started_at"]


@pytest.mark.parametrize(
    ("error", "attempt"),
    [
        (RetryableError("no"), 0),
        (VenueDownError("no"), 0),
        (RedisUnavailableError("no"), 0),
        (psycopg.OperationalError("no"), 0),
        (AmbiguousOutcomeError("no"), 1),
        (ZeroDivisionError("no"), 1),
    ],
)
def test_a_failed_job_is_rescheduled_with_a_backoff_and_only_an_outage_counts_no_attempt(
    runner_env: RunnerEnv, error: Exception, attempt: int
) -> None:
    row = runner_env.run_function(raise_error(error))

    assert ("queued", attempt, None, None) == (row["state"], row["attempt"], row["worker_id"], row["lease_until"])
    assert (None, None) == (row["finished_at"], row["published_at"])  # the relay will publish it
    assert row["run_at"] > row["started_at"]
    assert row["pause"] <= RETRY_BASE
    assert f"{type(error).__name__}: no" in row["error"]
    assert "Traceback" in row["error"]


def test_a_job_without_attempts_left_is_dead_with_its_traceback(runner_env: RunnerEnv) -> None:
    job_id = runner_env.enqueue(raise_error(KeyError("still no")))

    assert ["rescheduled", "rescheduled", "dead"] == [runner_env.run(job_id).state for _ in range(Drill.attempts)]
    row = runner_env.row(job_id)
    assert ("dead", 3, 3) == (row["state"], row["attempt"], row["max_attempts"])
    assert "still no" in row["error"]
    assert "in act" in row["error"]
    assert row["finished_at"] is not None
    assert "duplicate" == runner_env.run(job_id).state


@pytest.mark.parametrize(
    "error", [OrderRejectedError("bad size"), RiskLimitError("bad size"), InvalidAlertError("bad size", "quantity")]
)
def test_a_refused_job_fails_at_once_and_is_never_retried(runner_env: RunnerEnv, error: Exception) -> None:
    row = runner_env.run_function(raise_error(error))

    assert ("failed", 1, f"{type(error).__name__}: bad size") == (row["state"], row["attempt"], row["error"])
    assert "duplicate" == runner_env.run(row["id"]).state


@pytest.mark.parametrize("error", [CredentialsRefusedError("wrong key"), PositionMismatchError("wrong key")])
def test_a_halt_error_fails_the_job_and_halts_every_account(runner_env: RunnerEnv, error: Exception) -> None:
    row = runner_env.run_function(raise_error(error))

    assert ("failed", 1) == (row["state"], row["attempt"])
    (halted,) = runner_env.rows("SELECT halted_at, halt_reason FROM account")
    assert halted["halted_at"] is not None
    assert f"{type(error).__name__}: wrong key" == halted["halt_reason"] == row["error"]


@pytest.mark.parametrize("kind", [RateLimitedError, MarketClosedError])
def test_a_postponed_job_counts_no_attempt_and_waits_the_given_time(
    runner_env: RunnerEnv, kind: type[RateLimitedError | MarketClosedError]
) -> None:
    row = runner_env.run_function(raise_error(kind("not now", timedelta(hours=1))))

    assert ("queued", 0, f"{kind.__name__}: not now") == (row["state"], row["attempt"], row["error"])
    assert timedelta(minutes=50) < row["pause"] <= timedelta(hours=1)


def test_a_job_may_be_postponed_more_often_than_it_has_attempts(runner_env: RunnerEnv) -> None:
    postponements = iter(range(Drill.attempts + 3))

    def act(_: Context) -> str:
        if next(postponements, None) is None:
            return "at last"
        raise RateLimitedError("not now", timedelta(seconds=1))

    job_id = runner_env.enqueue(act)
    for _ in range(Drill.attempts + 3):
        assert "rescheduled" == runner_env.run(job_id).state

    assert "succeeded" == runner_env.run(job_id).state
    assert ("at last", 1) == (runner_env.row(job_id)["result"], runner_env.row(job_id)["attempt"])


def test_a_job_rescheduled_past_its_expiry_expires_at_once_with_the_reason(
    runner_env: RunnerEnv,
) -> None:
    row = runner_env.run_function(
        raise_error(MarketClosedError("opens on Sunday", timedelta(days=2))), expires_after=timedelta(minutes=5)
    )

    assert ("expired", "MarketClosedError: opens on Sunday") == (row["state"], row["error"])
    assert row["finished_at"] is not None


def test_an_expired_job_is_never_started(runner_env: RunnerEnv) -> None:
    started: list[UUID] = []
    job_id = runner_env.enqueue(lambda ctx: started.append(ctx.job.id), expires_after=timedelta(microseconds=1))

    assert "duplicate" == runner_env.run(job_id).state
    with runner_env.ledger.engine.begin() as connection:
        assert 1 == expire(driver(connection))
    row = runner_env.row(job_id)
    assert ("expired", 0, "not started before it expired") == (row["state"], row["attempt"], row["error"])
    assert [] == started


@pytest.mark.parametrize(
    ("change", "expected_error"),
    [
        ("name = 'upkeep.do_nothing', arguments = '{\"seconds\": \"soon\"}'", "Expected `int`"),
        ("name = 'orders.place_order', arguments = '{}'", "missing required field `order_id`"),
        ("name = 'orders.place_order', arguments = '[1]'", "Expected `object`"),
    ],
)
def test_a_job_that_no_task_can_parse_ends_dead_with_the_reason_and_keeps_its_arguments(
    runner_env: RunnerEnv, change: str, expected_error: str
) -> None:
    job_id = runner_env.enqueue(lambda _: None)
    runner_env.execute(f"UPDATE job SET {change}")
    arguments = runner_env.row(job_id)["arguments"]

    outcomes = [runner_env.run(job_id).state for _ in range(3)]
    row = runner_env.row(job_id)
    assert ["rescheduled", "rescheduled", "dead"] == outcomes
    assert ("dead", arguments) == (row["state"], row["arguments"])
    assert expected_error in row["error"]


@pytest.mark.parametrize(("result", "expected_error"), [("a\x00b", "cannot be stored"), (object(), "object")])
def test_a_result_that_cannot_be_stored_ends_the_job_dead_with_the_reason(
    runner_env: RunnerEnv, result: object, expected_error: str
) -> None:
    job_id = runner_env.enqueue(lambda _: {"text": result})
    while runner_env.run(job_id).state == "rescheduled":
        pass

    assert "dead" == runner_env.row(job_id)["state"]
    assert expected_error in runner_env.row(job_id)["error"]


def test_an_error_text_that_postgres_rejects_is_recorded_escaped(runner_env: RunnerEnv) -> None:
    row = runner_env.run_function(raise_error(OrderRejectedError("a\x00b" + "x" * 100_000)))

    assert "failed" == row["state"]
    assert row["error"].startswith("OrderRejectedError: a\\0b")
