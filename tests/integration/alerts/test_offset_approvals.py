"""A market entry that closes all drops and offsets the entries before it that wait for a person, or were approved."""

from typing import Any

import pytest

from shared.domain.orders.order import Side
from shared.ledger.jobs.orders import EnterManually
from tests.fixtures.alert_steps import result_of, run_next, strategy_fields
from tests.fixtures.approvals import approve_without_worker, ask, require_approval
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

PLANS = "SELECT quantity_closing, quantity_opening FROM entry_reversal WHERE side = 'SELL'"
CLOSING = "SELECT id FROM job WHERE name = 'alerts.close_reversed' AND state = 'queued' ORDER BY id DESC LIMIT 1"
IN_AN_HOUR = "UPDATE job SET run_at = now() + interval '1 hour' WHERE id = '{}'"
TO_LONG_3 = strategy_fields(action="buy", quantity=3, market_position="long", market_position_size=3)


def buy_one(worker_env: WorkerEnv) -> None:
    """Let a person buy one, who waits for no approval."""
    worker_env.run(EnterManually(account_id=20001, symbol="MNQ", side=Side.BUY, quantity=1, stop_loss_ticks=400))
    assert 1 == worker_env.venue.position()


def sell(worker_env: WorkerEnv, quantity: int) -> None:
    """Send an alert that sells, and run the job that closes what it reverses."""
    worker_env.entry_alert(action="sell", quantity=quantity)
    ((closing,),) = worker_env.rows(CLOSING)
    run_next(worker_env, closing)


@pytest.mark.parametrize(
    ("fields", "quantity", "opening"),
    [({}, 3, 1), ({"quantity": 2}, 3, 0), (TO_LONG_3, 5, 2)],
    ids=["one", "two", "a target position"],
)
def test_an_entry_that_waits_for_approval_is_offset_and_is_not_made_after_that(
    worker_env: WorkerEnv, operator: RunCommand, fields: dict[str, Any], quantity: int, opening: int
) -> None:
    require_approval(worker_env)
    asked = ask(worker_env, **fields)
    buy_one(worker_env)
    sell(worker_env, quantity)
    assert [(1, opening)] == worker_env.rows(PLANS)
    bought = approve_without_worker(worker_env, operator, asked)
    run_next(worker_env, bought)

    assert f"an entry that reversed {MNQ} was requested after this one" in result_of(worker_env, bought)


@pytest.mark.parametrize(
    ("change", "opening"),
    [
        ("UPDATE entry_approval SET alert_id = NULL, strategy = 'one', origin = 'strategy'", 2),
        ("UPDATE entry_approval SET expires_at = now()", 2),
        ("UPDATE entry_approval SET side = 'SELL'", 2),
        ("UPDATE entry_approval SET type = 'LIMIT'", 2),
        ("UPDATE hook SET paused_at = now()", 2),
    ],
    ids=["of a strategy", "lapsed", "its own side", "limit", "paused"],
)
def test_only_an_earlier_market_entry_that_may_still_be_approved_is_offset(
    worker_env: WorkerEnv, change: str, opening: int
) -> None:
    require_approval(worker_env)
    ask(worker_env)
    buy_one(worker_env)
    worker_env.execute(change)
    sell(worker_env, 3)

    assert [(1, opening)] == worker_env.rows(PLANS)


def test_an_approved_entry_is_offset_once_at_the_size_that_was_approved(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    require_approval(worker_env)
    asked = ask(worker_env, quantity=2)
    worker_env.execute("UPDATE entry_approval SET quantity = 1")
    buy_one(worker_env)
    worker_env.execute(IN_AN_HOUR.format(approve_without_worker(worker_env, operator, asked)))
    sell(worker_env, 4)

    assert [(1, 2)] == worker_env.rows(PLANS)


def test_of_two_approvals_at_once_the_later_one_offsets_the_earlier(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    require_approval(worker_env)
    asked = [ask(worker_env), ask(worker_env, action="sell", quantity=3)]
    buy_one(worker_env)
    bought, sold = [approve_without_worker(worker_env, operator, one) for one in asked]
    worker_env.execute(IN_AN_HOUR.format(bought))
    run_next(worker_env, sold)
    assert [(1, 1)] == worker_env.rows(PLANS)
    for job_id in (bought, sold):
        run_next(worker_env, job_id)
    worker_env.run_due_jobs()

    assert f"an entry that reversed {MNQ} was requested after this one" in result_of(worker_env, bought)
    assert -1 == worker_env.venue.position()


@pytest.mark.parametrize("quantity", [2, 3])
def test_the_rest_of_a_reversal_is_entered_as_it_was_approved(
    worker_env: WorkerEnv, operator: RunCommand, quantity: int
) -> None:
    require_approval(worker_env)
    buy_one(worker_env)
    worker_env.entry_alert(action="sell", quantity=quantity)
    worker_env.run_due_jobs()
    ((approval_id, approved, closed),) = worker_env.rows("SELECT id, quantity, closed_first FROM entry_approval")
    assert (quantity - 1, 1) == (approved, closed)
    run_next(worker_env, approve_without_worker(worker_env, operator, approval_id))
    worker_env.run_due_jobs()

    assert 1 - quantity == worker_env.venue.position()


def test_no_more_is_traded_than_was_approved_if_another_job_measures_more(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    require_approval(worker_env)
    asked = ask(worker_env, action="sell", quantity=2)
    buy_one(worker_env)
    ((alert_id,),) = worker_env.rows("SELECT alert_id FROM entry_approval")
    worker_env.execute(
        "INSERT INTO entry_reversal"
        " (request_id, account_id, contract_id, side, quantity_closing, quantity_opening, closes_all)"
        f" VALUES ('{alert_id}', 20001, '{MNQ}', 'SELL', 1, 4, true)"
    )
    run_next(worker_env, approve_without_worker(worker_env, operator, asked))
    worker_env.run_due_jobs()

    assert worker_env.venue.position() >= -1
