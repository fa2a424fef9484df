"""Copies of plain orders that do not hold their share: what the hook's own account only closes opens nothing there."""

from decimal import Decimal

import pytest

from shared.db.alerts import hooks
from shared.domain.alerts.hook_settings import HookSettings, SizeMode
from tests.fixtures.venue import RunningVenue, StartVenue
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.alerts.test_copy_ratios import add_hook, last_copy, read_follower, run_until_held

BY_RISK = HookSettings(size=SizeMode.RISK, size_value=Decimal(100))


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    """A simulator with a practice account and a Combine."""
    return start_venue(options=("--accounts", "50KTC"))


def follow(worker_env: WorkerEnv, hook_id: object, ratio: str) -> None:
    """Let the second account follow a hook, or at another ratio."""
    with worker_env.ledger.engine.begin() as connection:
        hooks.set_followers(connection, hook_id, {read_follower(worker_env): Decimal(ratio)})  # type: ignore[arg-type]


@pytest.mark.parametrize("ratio", ["1", "2", "0.5"])
@pytest.mark.parametrize("settings", [None, BY_RISK], ids=["size", "risk"])
def test_a_copy_that_missed_the_entry_opens_nothing_at_the_exit(
    worker_env: WorkerEnv, ratio: str, settings: HookSettings | None
) -> None:
    """Of 100 dollars at a stop of 40 ticks, 4 contracts."""
    worker_env.execute("UPDATE account SET rule_changes = jsonb_build_object('max_quantity', '20')")
    hook_id = worker_env.add_hook(settings)
    worker_env.entry_alert(hook_id, quantity=4, stop_loss_ticks=40)
    run_until_held(worker_env, 4, 0)
    follow(worker_env, hook_id, ratio)
    worker_env.entry_alert(hook_id, action="sell", quantity=2, stop_loss_ticks=40 if settings is None else 60)
    run_until_held(worker_env, 2 if settings is None else 1, 0)

    verdict, reason = last_copy(worker_env)[2:]
    assert ("denied", "the hook's own account opens nothing with it: nothing is entered") == (verdict, reason)


@pytest.mark.parametrize("ratio", ["0.5", "2"])
def test_a_copy_closes_all_that_it_holds_once_the_hooks_own_account_does(worker_env: WorkerEnv, ratio: str) -> None:
    """The ratio was changed while it held something."""
    worker_env.execute("UPDATE account SET rule_changes = jsonb_build_object('max_quantity', '20')")
    hook_id = add_hook(worker_env, "1")
    worker_env.entry_alert(hook_id, quantity=4)
    run_until_held(worker_env, 4, 4)
    follow(worker_env, hook_id, ratio)
    worker_env.entry_alert(hook_id, action="sell", quantity=6)
    run_until_held(worker_env, -2, -1 if ratio == "0.5" else -4)
    worker_env.entry_alert(hook_id, quantity=2)
    run_until_held(worker_env, 0, 0)


def test_what_a_copy_by_risk_closes_is_its_share_of_what_is_closed_rounded_up(worker_env: WorkerEnv) -> None:
    """100 dollars are 4 contracts at 40 ticks and 3 at 60; the copy's 50 would be 1 of its 2."""
    hook_id = add_hook(worker_env, "0.5", BY_RISK)
    worker_env.entry_alert(hook_id, quantity=1, stop_loss_ticks=40)
    run_until_held(worker_env, 4, 2)
    worker_env.entry_alert(hook_id, action="sell", quantity=1, stop_loss_ticks=60)
    run_until_held(worker_env, 1, 0)


def test_an_exit_of_one_contract_is_not_lost_beside_an_exit_that_rests(worker_env: WorkerEnv) -> None:
    hook_id = add_hook(worker_env, "0.5")
    worker_env.entry_alert(hook_id, quantity=2)
    run_until_held(worker_env, 2, 1)
    worker_env.entry_alert(hook_id, action="sell", quantity=2, order_type="limit", limit_price="30000")
    worker_env.run_due_jobs()
    worker_env.entry_alert(hook_id, action="sell", quantity=1)
    run_until_held(worker_env, 1, 0)
