"""An approved entry meets every rule as it is then, and what was requested after it leaves no place for it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.alerts.hook_settings import HookSettings, SizeMode
from shared.ledger.jobs.orders import ReducePosition
from shared.ledger.jobs.strategies import EvaluateStrategy
from tests.fixtures.alert_steps import hold, last_signal, strategy_fields
from tests.fixtures.approvals import ENTRIES, approve, ask, require_approval, state_of, type_entry
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.strategies.test_strategies import insert_falling_bars

TO_LONG_1 = strategy_fields(action="buy", market_position="long", market_position_size=1)
TO_LONG_2 = strategy_fields(action="buy", market_position="long", market_position_size=2)


def evaluate(worker_env: WorkerEnv, closed_until: datetime) -> str:
    """Let mean reversion decide on falling bars; return what became of its decision."""
    worker_env.write_quote()
    request = EvaluateStrategy(
        strategy="mean_reversion", contract_id=MNQ, closed_until=closed_until, account_id=worker_env.venue.account_id
    )
    state, result, error = worker_env.run(request)
    assert "succeeded" == state, error
    return str(result["reason"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE account SET halted_at = now(), halt_reason = 'lunch'", "is halted: lunch"),
        ("UPDATE account SET can_trade = false", "may not trade"),
        ("UPDATE account SET locked_out_until_market_at = '2200-01-01'", "locked out"),
        ("UPDATE contract SET is_active = false", "is not the active contract"),
        ("UPDATE hook SET paused_at = now()", "is paused or removed, and enters nothing"),
    ],
    ids=["halt", "may not trade", "lock-out", "month changed", "hook paused"],
)
def test_a_rule_that_forbids_the_entry_when_it_is_approved_denies_it(
    worker_env: WorkerEnv, operator: RunCommand, change: str, reason: str
) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env)
    worker_env.execute(change)
    result = approve(worker_env, operator, approval_id)

    assert (1, True) == (result.status, reason in result.error), result
    assert [("BUY", 1, "DENIED")] == worker_env.rows(ENTRIES)
    assert ("BUY", "denied") == last_signal(worker_env)[:2]
    assert ("DENIED", True) == state_of(worker_env, approval_id)
    assert 0 == worker_env.venue.position(MNQ)


@pytest.mark.parametrize(
    "later",
    [
        {"action": "close", "symbol": "MNQ"},
        {"action": "close", "symbol": "MNQ", "quantity": 1},
        TO_LONG_2,
        strategy_fields(action="sell", market_position="flat", market_position_size=0),
    ],
    ids=["close", "partial close", "target position", "flat chart"],
)
def test_an_alert_for_another_position_after_the_entry_was_asked_for_forbids_it(
    worker_env: WorkerEnv, operator: RunCommand, later: dict[str, Any]
) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env)
    worker_env.store_alert(None, later)
    worker_env.run_due_jobs()
    result = approve(worker_env, operator, approval_id)

    assert 1 == result.status, result
    assert [("BUY", 1, "DENIED")] == worker_env.rows(ENTRIES)
    assert 0 == worker_env.venue.position(MNQ)


@pytest.mark.parametrize("contract_id", [None, MNQ], ids=["flatten of the account", "close of the contract"])
def test_a_flatten_after_the_entry_was_asked_for_forbids_it(
    worker_env: WorkerEnv, operator: RunCommand, contract_id: str | None
) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env)
    worker_env.flatten(contract_id)
    worker_env.run_due_jobs()
    result = approve(worker_env, operator, approval_id)

    assert "MNQ H26 was closed by a later request" in result.error
    assert [("BUY", 1, "DENIED")] == worker_env.rows(ENTRIES)


def test_what_was_closed_before_the_entry_was_asked_for_does_not_forbid_it(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    require_approval(worker_env)
    worker_env.critical_alert()
    worker_env.flatten()
    worker_env.run_due_jobs()

    assert 0 == approve(worker_env, operator, ask(worker_env)).status
    assert 1 == worker_env.venue.position(MNQ)


def test_a_cancel_forbids_a_limit_entry_that_waits_and_no_market_entry(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    require_approval(worker_env)
    limit, market = ask(worker_env, limit_price=20000), ask(worker_env)
    worker_env.critical_alert(action="cancel")
    worker_env.run_due_jobs()

    assert (1, 0) == (approve(worker_env, operator, limit).status, approve(worker_env, operator, market).status)
    assert [("BUY", 1, "DENIED"), ("BUY", 1, "FILLED")] == worker_env.rows(ENTRIES)


def test_of_a_target_position_what_is_lacking_at_the_approval_is_entered(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env, **TO_LONG_2)
    type_entry(worker_env, operator)

    assert 0 == approve(worker_env, operator, approval_id).status
    assert [("BUY", 1, "FILLED")] * 2 == worker_env.rows(ENTRIES)
    assert 2 == worker_env.venue.position(MNQ)


def test_no_more_than_was_approved_is_entered_though_the_target_position_lacks_more(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    type_entry(worker_env, operator)
    require_approval(worker_env)
    approval_id = ask(worker_env, **TO_LONG_2)
    worker_env.run(ReducePosition(account_id=20001, contract_id=MNQ, quantity=1))
    assert 0 == worker_env.venue.position(MNQ)
    approve(worker_env, operator, approval_id)

    assert 1 == worker_env.venue.position(MNQ)


def test_a_target_position_that_is_reached_is_not_entered_again(worker_env: WorkerEnv, operator: RunCommand) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env, **TO_LONG_1)
    type_entry(worker_env, operator)
    result = approve(worker_env, operator, approval_id)

    assert "nothing is lacking: +1 is held, +1 is wanted" in result.error
    assert 1 == worker_env.venue.position(MNQ)


def test_a_target_position_against_what_is_held_by_now_is_not_entered(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    require_approval(worker_env)
    approval_id = ask(worker_env, **TO_LONG_1)
    type_entry(worker_env, operator, "sell")
    result = approve(worker_env, operator, approval_id)

    assert "has changed since +1 was requested: send the alert again" in result.error
    assert -1 == worker_env.venue.position(MNQ)


def test_an_entry_sized_by_risk_is_never_larger_than_it_was_when_it_was_asked_for(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    require_approval(worker_env)
    sized = HookSettings(size=SizeMode.RISK, size_value=Decimal(450))
    approval_id = ask(worker_env, worker_env.add_hook(sized))
    assert [(2,)] == worker_env.rows("SELECT quantity FROM entry_approval")
    worker_env.execute("UPDATE entry_approval SET risk = 900")

    assert 0 == approve(worker_env, operator, approval_id).status
    assert [("BUY", 2, "FILLED")] == worker_env.rows(ENTRIES)


def test_settings_of_a_hook_are_asked_again_when_its_entry_is_approved(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    require_approval(worker_env)
    hook_id = worker_env.add_hook(HookSettings(has_pyramiding=False))
    first, second = ask(worker_env, hook_id), ask(worker_env, hook_id)

    assert (0, 1) == (approve(worker_env, operator, first).status, approve(worker_env, operator, second).status)
    assert "adds to no position" in last_signal(worker_env)[2]
    assert 1 == worker_env.venue.position(MNQ)


def test_an_entry_of_a_strategy_waits_and_is_made_while_the_account_is_flat(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    require_approval(worker_env)
    operator("strategies", "on", "mean_reversion", "20001")
    assert "not traded: BUY 1" in evaluate(worker_env, insert_falling_bars(worker_env))
    first = worker_env.rows("SELECT id FROM entry_approval")[0][0]
    assert 0 == approve(worker_env, operator, first).status
    assert [("strategy", "mean_reversion")] == worker_env.rows("SELECT origin, strategy FROM signal")
    assert 1 == worker_env.venue.position(MNQ)


@pytest.mark.parametrize("obstacle", ["is no longer flat", "trades mean_reversion no longer", "by a later request"])
def test_an_entry_of_a_strategy_is_denied_when_its_account_holds_closes_or_trades_it_no_longer(
    worker_env: WorkerEnv, operator: RunCommand, obstacle: str
) -> None:
    require_approval(worker_env)
    operator("strategies", "on", "mean_reversion", "20001")
    evaluate(worker_env, insert_falling_bars(worker_env))
    ((approval_id,),) = worker_env.rows("SELECT id FROM entry_approval")
    if "flat" in obstacle:
        type_entry(worker_env, operator)
    elif "later" in obstacle:
        worker_env.flatten()
        worker_env.run_due_jobs()
    else:
        operator("strategies", "off", "mean_reversion", "20001")
    result = approve(worker_env, operator, approval_id)

    assert (1, True) == (result.status, obstacle in result.error), result
    assert "DENIED" == worker_env.rows(ENTRIES)[-1][2]


def test_an_entry_that_a_later_reversal_has_overtaken_is_not_made(operator: RunCommand, worker_env: WorkerEnv) -> None:
    """The reversal closed what the entry would have added to, and opens what it leaves once that is approved too."""
    hold(worker_env, 1)
    require_approval(worker_env)
    approval_id = ask(worker_env)
    reversal = ask(worker_env, action="sell", quantity=3)
    assert 0 == worker_env.venue.position(MNQ)
    approve(worker_env, operator, approval_id)

    assert ("DENIED", True) == state_of(worker_env, approval_id), "as a denied order"
    assert 0 == worker_env.venue.position(MNQ)
    approve(worker_env, operator, reversal)
    assert -1 == worker_env.venue.position(MNQ)
