"""Alerts whose jobs run in another order than they were received, or while an exit is under way."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.domain.alerts.hook_settings import HookSettings
from shared.errors import PostponedError
from tests.fixtures.alert_steps import (
    ENTRIES,
    hold,
    result_of,
    run_next,
    run_until,
    stop_quantities,
    strategy_fields,
    time_ago,
)
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from workers.orders import flatten as flatten_module
from workers.orders import reduce_position as reduce_module
from workers.wiring import open_runner

LONG = {"action": "buy", "market_position": "long"}
TO_LONG_2 = {"action": "sell", "market_position": "long", "market_position_size": 2}


@pytest.mark.parametrize(
    ("entry", "exit_", "left"),
    [
        ({}, {"action": "close_long"}, 0),
        ({"quantity": 3}, {"quantity": 1}, 2),
        (strategy_fields(**LONG, market_position_size=3), TO_LONG_2, 2),
    ],
    ids=["one side", "a part", "a target"],
)
def test_an_exit_in_part_that_runs_first_waits_for_the_entry_before_it(
    worker_env: WorkerEnv, entry: dict[str, Any], exit_: dict[str, Any], left: int
) -> None:
    hook_id = worker_env.add_hook()
    worker_env.entry_alert(hook_id, **entry)
    job_id = worker_env.critical_alert(hook_id, **exit_)
    run_next(worker_env, job_id)

    assert "that was received before is not made yet" in result_of(worker_env, job_id)
    run_until(worker_env, left)


def test_an_exit_in_part_of_what_is_held_does_not_wait_for_ever(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    hook_id = worker_env.add_hook()
    entry = worker_env.entry_alert(hook_id)
    worker_env.execute(f"UPDATE job SET run_at = now() + interval '1 hour' WHERE id = '{entry}'")
    job_id = worker_env.critical_alert(hook_id, quantity=1)
    worker_env.execute(f"UPDATE job SET enqueued_at = now() - interval '16 s' WHERE id = '{job_id}'")
    worker_env.run_due_jobs()

    assert 1 == worker_env.venue.position()


@pytest.fixture
def run_during(worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str, UUID, UUID], None]:
    """Run one job while another is at work in a function of a module."""

    def run(module: Any, function: str, job_id: UUID, other_id: UUID) -> None:
        real, met = getattr(module, function), list[UUID]()
        with open_runner(worker_env.settings, process("test/2"), program="test") as other:

            def call(*arguments: Any) -> Any:
                if not met:
                    met.append(other_id)
                    worker_env.execute(f"UPDATE job SET run_at = now() WHERE id = '{other_id}'")
                    other.run(other_id)
                return real(*arguments)

            monkeypatch.setattr(module, function, call)
            run_next(worker_env, job_id)
        assert [other_id] == met

    return run


@pytest.mark.parametrize(
    ("held", "settings", "entry"),
    [
        (1, HookSettings(), strategy_fields(**LONG, market_position_size=1)),
        (3, HookSettings(), strategy_fields(**LONG, market_position_size=1)),
        (1, HookSettings(has_pyramiding=False), {}),
        (-1, HookSettings(is_agreement_required=True), {"prev_market_position": "flat"}),
    ],
    ids=["a target that is held", "a smaller target", "no pyramiding", "agreement"],
)
def test_nothing_is_decided_from_a_position_that_is_being_closed(
    worker_env: WorkerEnv,
    run_during: Callable[[Any, str, UUID, UUID], None],
    held: int,
    settings: HookSettings,
    entry: dict[str, Any],
) -> None:
    """The position is still held while the venue closes it: nothing may be decided from it."""
    hold(worker_env, held)
    hook_id = worker_env.add_hook(settings)
    close, after = worker_env.critical_alert(hook_id), worker_env.entry_alert(hook_id, **entry)
    run_during(flatten_module, "sweep", close, after)

    run_until(worker_env, 1)


@pytest.mark.parametrize(
    ("entry", "left"),
    [
        (strategy_fields(quantity=2, market_position="short", market_position_size=1), -1),
        (strategy_fields(**LONG, market_position_size=4), 4),
    ],
    ids=["a reversal", "a larger target"],
)
def test_a_reduction_that_is_late_takes_nothing_of_a_later_position(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any], left: int
) -> None:
    hold(worker_env, 3)
    hook_id = worker_env.add_hook()
    with monkeypatch.context() as patch:
        patch.setattr(reduce_module, "_require_no_other_exit", postpone)
        run_next(worker_env, worker_env.critical_alert(hook_id, **TO_LONG_2))
    after = worker_env.entry_alert(hook_id, **entry)
    run_next(worker_env, after)

    assert "an exit that was received before is closing" in result_of(worker_env, after)
    run_until(worker_env, left)


def postpone(*_: object) -> None:
    raise PostponedError("another exit", timedelta(seconds=0.2))


def test_a_close_is_not_skipped_for_a_later_target_position_that_was_denied(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    hook_id = worker_env.add_hook()
    worker_env.entry_alert(
        hook_id, **strategy_fields(quantity=2, market_position="short", market_position_size=1), timenow=time_ago(40)
    )
    worker_env.run_due_jobs()
    worker_env.critical_alert(hook_id, timenow=time_ago(45))

    run_until(worker_env, 0)


def test_without_pyramiding_the_second_of_two_entries_waits_for_the_fill_of_the_first(worker_env: WorkerEnv) -> None:
    hook_id = worker_env.add_hook(HookSettings(has_pyramiding=False))
    first, second = worker_env.entry_alert(hook_id), worker_env.entry_alert(hook_id)
    run_next(worker_env, first)
    run_next(worker_env, second)
    run_until(worker_env, 1)

    assert "adds to no position" in result_of(worker_env, second)


def test_a_limit_entry_received_after_a_cancel_sent_later_is_not_made(worker_env: WorkerEnv) -> None:
    hook_id, earlier, later = worker_env.add_hook(), time_ago(3), time_ago(1)
    worker_env.critical_alert(hook_id, action="cancel", timenow=later)
    worker_env.run_due_jobs()
    late = worker_env.entry_alert(hook_id, limit_price=20000, timenow=earlier)
    worker_env.run_due_jobs()

    assert "late: an alert" in result_of(worker_env, late)
    assert [] == worker_env.rows(ENTRIES)


def test_an_entry_that_is_received_after_one_sent_later_is_not_traded(worker_env: WorkerEnv) -> None:
    hook_id = worker_env.add_hook()
    worker_env.entry_alert(hook_id, timenow=time_ago(1))
    late = worker_env.entry_alert(hook_id, action="sell", timenow=time_ago(5))
    other_hook = worker_env.entry_alert(timenow=time_ago(7))
    worker_env.run_due_jobs()

    assert "late: an alert for the same symbol that was sent later" in result_of(worker_env, late)
    assert result_of(worker_env, other_hook).startswith("succeeded")
    assert 2 == worker_env.venue.position()


def test_a_close_that_is_received_after_a_target_position_sent_later_closes_nothing(worker_env: WorkerEnv) -> None:
    hook_id, earlier, later = worker_env.add_hook(), time_ago(5), time_ago(1)
    target = strategy_fields(action="buy", market_position="long", market_position_size=1)
    worker_env.entry_alert(hook_id, **target, timenow=later)
    worker_env.run_due_jobs()
    late = worker_env.critical_alert(hook_id, timenow=earlier)
    run_until(worker_env, 1)

    assert "nothing_to_do" in result_of(worker_env, late)


def test_an_entry_that_waits_keeps_no_entry_of_another_product_waiting(worker_env: WorkerEnv) -> None:
    hook_id = worker_env.add_hook()
    waiting = worker_env.entry_alert(hook_id)
    worker_env.execute(f"UPDATE job SET run_at = now() + interval '1 hour' WHERE id = '{waiting}'")
    same, other = worker_env.entry_alert(hook_id), worker_env.entry_alert(hook_id, symbol="MES")
    run_next(worker_env, same)
    run_next(worker_env, other)

    assert (None, None) == (worker_env.job(waiting)[2], worker_env.job(same)[2])
    assert "MES" in (worker_env.job(other)[2] or "")  # it ran, and waits for a quote of its own


def test_an_entry_whose_job_runs_before_that_of_an_earlier_close_waits(worker_env: WorkerEnv) -> None:
    """Its job may run first: exits and entries are on queues of their own."""
    hold(worker_env, -1)
    hook_id = worker_env.add_hook()
    worker_env.critical_alert(hook_id)
    entry = worker_env.entry_alert(hook_id)
    worker_env.runner.run(entry)
    assert "an exit that was received before" in result_of(worker_env, entry)
    run_until(worker_env, 1)

    assert [(1,)] == stop_quantities(worker_env)
