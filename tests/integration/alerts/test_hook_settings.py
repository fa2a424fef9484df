"""The effect of a hook's settings on an entry, and of its age: it is scaled, mapped, recorded or traded."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from shared.domain.alerts.hook_settings import HookSettings, SizeMode
from tests.fixtures.alert_steps import ENTRIES, hold, last_signal, result_of, run_until, strategy_fields, time_ago
from tests.fixtures.worker_env import WorkerEnv


def enter(worker_env: WorkerEnv, settings: HookSettings, **payload: Any) -> UUID:
    """Let one hook with these settings send one entry, and act on it."""
    job_id = worker_env.entry_alert(worker_env.add_hook(settings), **payload)
    worker_env.run_due_jobs()
    return job_id


@pytest.mark.parametrize("age_s", [600, 3 * 3600, 70 * 86_400])
def test_a_stale_entry_is_recorded_and_not_traded(worker_env: WorkerEnv, age_s: int) -> None:
    job_id = enter(worker_env, HookSettings(), timenow=time_ago(age_s))

    assert "failed: RefusedError: stale: it was sent" in result_of(worker_env, job_id)
    assert [("denied",)] == worker_env.rows("SELECT verdict FROM signal")
    assert [] == worker_env.rows(ENTRIES)


def test_the_hook_says_from_which_age_an_entry_is_stale(worker_env: WorkerEnv) -> None:
    enter(worker_env, HookSettings(max_age_s=3600), timenow=time_ago(600))

    assert 1 == worker_env.venue.position()


def test_a_stale_close_closes(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.critical_alert(timenow=time_ago(600))
    run_until(worker_env, 0)


@pytest.mark.parametrize(
    ("settings", "payload", "position"),
    [
        (HookSettings(size=SizeMode.FIXED, size_value=Decimal(2)), {"quantity": 5}, 2),
        (HookSettings(size=SizeMode.MULTIPLIER, size_value=Decimal("0.5")), {"quantity": 4}, 2),
        (HookSettings(size=SizeMode.MULTIPLIER, size_value=Decimal("0.1")), {"quantity": 4}, 1),
        (HookSettings(size=SizeMode.RISK, size_value=Decimal(100)), {"quantity": 4, "stop_loss_ticks": 80}, 2),
        (
            HookSettings(size=SizeMode.MULTIPLIER, size_value=Decimal(2)),
            {"market_position": "long", "market_position_size": 1},
            2,
        ),
        (
            HookSettings(size=SizeMode.FIXED, size_value=Decimal(1)),
            {"market_position": "long", "market_position_size": 3},
            1,
        ),
        (HookSettings(symbols={"NQ": "MNQ"}), {"symbol": "CME_MINI:NQ1!"}, 1),
    ],
    ids=str,
)
def test_a_hook_trades_its_own_size_and_root(
    worker_env: WorkerEnv, settings: HookSettings, payload: dict[str, Any], position: int
) -> None:
    enter(worker_env, settings, **payload)

    assert position == worker_env.venue.position()


def test_a_hook_gives_its_stop_to_an_entry_without_one(worker_env: WorkerEnv) -> None:
    hook_id = worker_env.add_hook(HookSettings(default_stop_ticks=44))
    worker_env.entry_alert(hook_id, stop_loss_ticks=33)
    worker_env.run_due_jobs()
    worker_env.entry_alert(hook_id, has_stop=False)
    worker_env.run_due_jobs()

    assert [(33,), (44,)] == worker_env.rows("SELECT stop_loss_ticks FROM orders WHERE role = 'ENTRY' ORDER BY id")


def test_a_paused_hook_enters_nothing_and_closes(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    hook_id = worker_env.add_hook()
    worker_env.execute("UPDATE hook SET paused_at = now()")
    entry = worker_env.entry_alert(hook_id)
    worker_env.run_due_jobs()
    assert "is paused" in result_of(worker_env, entry)
    worker_env.critical_alert(hook_id)
    run_until(worker_env, 0)


def test_without_pyramiding_a_hook_adds_to_no_position(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    hook_id = worker_env.add_hook(HookSettings(has_pyramiding=False))
    entry = worker_env.entry_alert(hook_id)
    worker_env.run_due_jobs()

    assert "adds to no position" in result_of(worker_env, entry)
    assert 1 == worker_env.venue.position()


def test_a_hook_does_not_enter_a_contract_again_within_its_cooldown(worker_env: WorkerEnv) -> None:
    hook_id = worker_env.add_hook(HookSettings(cooldown_s=3600))
    first, second = worker_env.entry_alert(hook_id), worker_env.entry_alert(hook_id)
    other = worker_env.entry_alert()
    worker_env.run_due_jobs()

    assert "enters once in 3600 s" in result_of(worker_env, second)
    assert all(result_of(worker_env, job_id).startswith("succeeded") for job_id in (first, other))


@pytest.mark.parametrize("is_required", [False, True])
def test_chart_and_account_that_disagree_are_a_warning_or_no_entry(worker_env: WorkerEnv, *, is_required: bool) -> None:
    hold(worker_env, 1)
    hook_id = worker_env.add_hook(HookSettings(is_agreement_required=is_required))
    job_id = worker_env.entry_alert(hook_id, prev_market_position="flat")
    worker_env.run_due_jobs()
    ((verdict, reason),) = worker_env.rows("SELECT verdict, reason FROM signal ORDER BY decided_at DESC LIMIT 1")

    assert "chart and account disagree: the chart was flat, and +1 is held" in reason
    assert ("denied" if is_required else "accepted") == verdict
    assert (1 if is_required else 2) == worker_env.venue.position()
    assert is_required is result_of(worker_env, job_id).startswith("failed")


def test_a_chart_and_an_account_that_agree_are_no_warning(worker_env: WorkerEnv) -> None:
    enter(worker_env, HookSettings(is_agreement_required=True), prev_market_position="flat")

    assert [(None,)] == worker_env.rows("SELECT reason FROM signal")


@pytest.mark.parametrize(
    ("held", "chart", "target", "is_denied"),
    [
        (0, "long", ("buy", "long", 2), True),
        (0, "flat", ("buy", "long", 2), False),
        (1, "long", ("buy", "long", 2), False),
        (1, "flat", ("buy", "long", 2), False),
        (1, "long", ("sell", "short", 1), False),
        (0, "long", ("sell", "short", 1), True),
    ],
)
def test_a_position_of_a_chart_that_the_account_does_not_hold_is_a_warning_or_no_entry(
    worker_env: WorkerEnv, held: int, chart: str, target: tuple[str, str, int], *, is_denied: bool
) -> None:
    if held:
        hold(worker_env, held)
    action, position, size = target
    fields = strategy_fields(action=action, market_position=position, market_position_size=size)
    hook_id = worker_env.add_hook(HookSettings(is_agreement_required=True))
    worker_env.entry_alert(hook_id, **fields, prev_market_position=chart)
    run_until(worker_env, held if is_denied else size * (1 if position == "long" else -1))

    _, verdict, reason = last_signal(worker_env)
    assert ("denied" if is_denied else "accepted") == verdict
    assert is_denied is ("chart and account disagree" in (reason or ""))


def test_the_time_that_was_sent_is_stored(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(timenow="2026-03-13T15:00:00Z")

    assert [("BUY", "MNQ", datetime.fromisoformat("2026-03-13T15:00:00+00:00"))] == worker_env.rows(
        "SELECT action, root, sent_at FROM alert"
    )
