"""Jobs whose venue, database or Redis does not answer: they are tried again for as long as their purpose lasts."""

from datetime import timedelta
from typing import NoReturn
from uuid import UUID

import pytest

from shared.db.engine import driver
from shared.errors import PostponedError, VenueDownError
from shared.fleets import RETRY_CAPS, Queue
from shared.ledger import operations
from tests.fixtures.runner_env import Drill, RunnerEnv
from workers.recording import RETRY_BASE


def fail(_: object) -> NoReturn:
    raise VenueDownError("the venue is down")


def age(runner_env: RunnerEnv, seconds: float) -> None:
    """Let every job be that much older."""
    past = f"- interval '{seconds} seconds'"
    columns = ("run_at", "enqueued_at", "expires_at", "failing_since")
    runner_env.execute(f"UPDATE job SET {', '.join(f'{name} = {name} {past}' for name in columns)}")


def fail_for(runner_env: RunnerEnv, job_id: UUID, seconds: float) -> str:
    """Fail a job once, and again after that time; return its state."""
    runner_env.run(job_id)
    age(runner_env, seconds)
    runner_env.run(job_id)
    state: str = runner_env.row(job_id)["state"]
    return state


def test_an_outage_uses_up_no_attempt_however_often_the_job_is_tried(runner_env: RunnerEnv) -> None:
    job_id = runner_env.enqueue(fail)

    assert ["rescheduled"] * 20 == [runner_env.run(job_id).state for _ in range(20)]
    assert ("queued", 0) == (runner_env.row(job_id)["state"], runner_env.row(job_id)["attempt"])


@pytest.mark.parametrize("queue", [Queue.CRITICAL, Queue.NORMAL])
def test_the_backoff_grows_with_the_outage_up_to_the_cap_of_the_queue(runner_env: RunnerEnv, queue: Queue) -> None:
    job_id = runner_env.enqueue(fail, queue=queue)
    runner_env.run(job_id)
    pauses = [runner_env.row(job_id)["pause"]]
    for _ in range(30):
        age(runner_env, 60)
        runner_env.run(job_id)
        pauses.append(runner_env.row(job_id)["pause"])

    assert pauses[0] <= RETRY_BASE
    assert RETRY_BASE < max(pauses) <= RETRY_CAPS[queue]


def test_a_job_waits_as_long_as_its_purpose_lasts_and_then_waits_for_a_person(runner_env: RunnerEnv) -> None:
    job_id = runner_env.enqueue(fail)

    assert "queued" == fail_for(runner_env, job_id, Drill.retry_for.total_seconds() - 60)
    age(runner_env, 60)
    assert "dead" == runner_env.run(job_id).state
    row = runner_env.row(job_id)
    assert "the venue is down" in row["error"]
    assert row["finished_at"] is not None


def test_the_last_try_comes_within_the_end_of_the_purpose_not_a_pause_before(runner_env: RunnerEnv) -> None:
    job_id = runner_env.enqueue(fail)
    for seconds in (Drill.retry_for.total_seconds() - 10, 5):
        assert "queued" == fail_for(runner_env, job_id, seconds)
        assert runner_env.row(job_id)["pause"] <= timedelta(seconds=5)


def test_an_expiry_bounds_the_retries(runner_env: RunnerEnv) -> None:
    job_id = runner_env.enqueue(fail, expires_after=timedelta(seconds=90))

    assert "queued" == fail_for(runner_env, job_id, 80)
    age(runner_env, 9.5)
    assert "expired" == runner_env.run(job_id).state
    assert "the venue is down" in runner_env.row(job_id)["error"]


@pytest.mark.parametrize("trait", ["is_repeated", "is_entry"])
def test_a_job_that_another_repeats_or_that_would_come_too_late_expires_instead(
    runner_env: RunnerEnv, monkeypatch: pytest.MonkeyPatch, trait: str
) -> None:
    monkeypatch.setattr(Drill, trait, True)
    job_id = runner_env.enqueue(fail)

    assert "expired" == fail_for(runner_env, job_id, Drill.retry_for.total_seconds())


def test_a_job_that_failed_for_long_has_its_whole_time_again_when_a_person_queues_it(runner_env: RunnerEnv) -> None:
    job_id = runner_env.enqueue(fail)
    assert "dead" == fail_for(runner_env, job_id, Drill.retry_for.total_seconds())
    with runner_env.ledger.engine.begin() as connection:
        operations.requeue(driver(connection), job_id)

    assert "rescheduled" == runner_env.run(job_id).state


def test_a_run_that_is_postponed_ends_the_time_of_failures(runner_env: RunnerEnv) -> None:
    errors = iter([VenueDownError("down"), PostponedError("not now", timedelta(0)), VenueDownError("down")])

    def fail_once(_: object) -> NoReturn:
        raise next(errors)

    job_id = runner_env.enqueue(fail_once)
    runner_env.run(job_id)
    age(runner_env, Drill.retry_for.total_seconds())
    runner_env.run(job_id)

    assert "rescheduled" == runner_env.run(job_id).state


def test_a_cancelled_job_that_fails_is_not_tried_again(runner_env: RunnerEnv) -> None:
    def cancel(_: object) -> None:
        runner_env.execute("UPDATE job SET cancel_requested_at = now()")
        fail(None)

    assert "cancelled" == runner_env.run_function(cancel)["state"]
