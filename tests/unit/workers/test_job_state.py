"""What Flower keeps of the events of a job, in whatever order they arrive."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from shared.clock import machine_now
from shared.errors import CredentialsRefusedError, HaltError, OrderRejectedError, RiskLimitError, TickworkError
from shared.ids import new_id
from shared.ledger.recovery import LostJob
from workers.flower.job_state import JobsState
from workers.recording import describe
from workers.run_events import _events_of, _show_lost

JOB = str(new_id())
Event = tuple[str, float, dict[str, Any]]
RECEIVED: Event = ("received", 1.0, {"name": "orders.place_order"})
STARTED: Event = ("started", 2.0, {})
RETRIED = ("retried", 3.0, {"name": "orders.place_order", "exception": "rescheduled: no answer"})
SUCCEEDED = ("succeeded", 4.0, {"name": "orders.place_order", "result": "{}"})
LOST_BY_CELERY = ("failed", 5.0, {"exception": "WorkerLostError"})


def state_after(events: Sequence[Event]) -> JobsState:
    state = JobsState(max_tasks_in_memory=100)
    for type_, timestamp, fields in events:
        known = {"uuid": JOB, "hostname": "high@here", "timestamp": timestamp, "local_received": timestamp, "clock": 1}
        state.event(known | {"type": f"task-{type_}"} | fields)
    return state


@pytest.mark.parametrize("order", list(permutations([RECEIVED, STARTED, RETRIED, SUCCEEDED, LOST_BY_CELERY])))
def test_the_newest_end_counts_in_whatever_order_the_events_arrive(order: list[Event]) -> None:
    task = state_after(order).tasks[JOB]

    assert ("orders.place_order", "SUCCESS", "{}", None) == (task.name, task.state, task.result, task.exception)


def test_a_job_that_waits_for_its_next_try_is_not_shown_as_running() -> None:
    assert "RETRY" == state_after([RETRIED, RECEIVED, STARTED]).tasks[JOB].state


def test_a_job_that_is_requeued_shows_its_new_end() -> None:
    again = ("revoked", 9.0, {"name": "orders.place_order"})

    for end in ("failed", "denied", "expired", "succeeded"):
        assert "REVOKED" == state_after([(end, 4.0, {"name": "orders.place_order"}), again]).tasks[JOB].state


def test_what_celery_says_of_an_end_is_not_counted() -> None:
    counts = state_after([RECEIVED, STARTED, SUCCEEDED, LOST_BY_CELERY]).counter["high@here"]

    assert (1, 0) == (counts["task-succeeded"], counts["task-failed"])


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (RiskLimitError("the daily loss limit"), "DENIED"),
        (OrderRejectedError("by the venue"), "DENIED"),
        (HaltError("stop"), "FAILURE"),
        (CredentialsRefusedError("stop"), "FAILURE"),
    ],
)
def test_a_job_that_was_denied_is_no_failure_and_one_that_halts_is(error: TickworkError, shown: str) -> None:
    failed = LostJob(new_id(), "orders.place_order", "failed", describe(error), machine_now(), timedelta(seconds=1))
    events = [
        (type_.removeprefix("task-"), float(str(fields["timestamp"])), fields | {"uuid": JOB})
        for type_, fields in _events_of(_show_lost(failed))
    ]

    task = state_after(events).tasks[JOB]

    assert (shown, f"failed: {describe(error)}") == (task.state, task.exception)
