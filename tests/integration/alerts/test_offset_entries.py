"""A market entry that closes all drops the entries before it, and opens what is left of it once those are offset."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from shared.domain.orders.order import OrderType, Side
from shared.ledger.jobs.orders import EnterManually
from tests.fixtures.alert_steps import hold, result_of, run_next, run_until, strategy_fields
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

PLANS = "SELECT quantity_closing, quantity_opening FROM entry_reversal WHERE side = 'SELL' ORDER BY requested_at"
CLOSING = "SELECT id FROM job WHERE name = 'alerts.close_reversed' AND state = 'queued' ORDER BY id DESC LIMIT 1"
IN_AN_HOUR = "UPDATE job SET run_at = now() + interval '1 hour' WHERE id = '{}'"
EARLIER, LATER = UUID(int=1), UUID(int=2**128 - 1)  # requests before and after any of a test
UNCONFIRMED = (
    "INSERT INTO orders (id, account_id, contract_id, origin, role, side, type, quantity, state, correlation_id)"
    f" VALUES (gen_random_uuid(), 20001, '{MNQ}', 'manual', 'ENTRY', 'BUY', 'MARKET', 1, '{{}}', '{{}}')"
)
TO_LONG_3 = strategy_fields(action="buy", quantity=2, market_position="long", market_position_size=3)
CLOSED_BEFORE = (
    "INSERT INTO entry_reversal"
    " (request_id, account_id, contract_id, side, quantity_closing, quantity_opening, closes_all, requested_at)"
    f" SELECT id, 20001, '{MNQ}', 'BUY', 1, 0, true, received_at FROM alert WHERE hook_id = 'HOOK'"
)


def store_waiting(worker_env: WorkerEnv, hook_id: UUID | None = None, **fields: Any) -> UUID:
    job_id = worker_env.entry_alert(hook_id, **fields)
    worker_env.execute(IN_AN_HOUR.format(job_id))
    return job_id


def type_waiting(worker_env: WorkerEnv, **fields: Any) -> UUID:
    """Let a person enter one contract with a job that waits."""
    typed: dict[str, Any] = {"symbol": "MNQ", "side": Side.BUY, "quantity": 1, "stop_loss_ticks": 400} | fields
    job_id = worker_env.enqueue(EnterManually(account_id=20001, **typed))
    worker_env.execute(IN_AN_HOUR.format(job_id))
    return job_id


def sell_three(worker_env: WorkerEnv) -> UUID:
    """Send an alert that sells three; return the job that closes what it reverses."""
    worker_env.entry_alert(action="sell", quantity=3)
    ((closing,),) = worker_env.rows(CLOSING)
    found: UUID = closing
    return found


def type_sell_of_three(worker_env: WorkerEnv) -> UUID:
    return worker_env.enqueue(
        EnterManually(account_id=20001, symbol="MNQ", side=Side.SELL, quantity=3, stop_loss_ticks=400)
    )


@pytest.mark.parametrize("reverse", [sell_three, type_sell_of_three], ids=["alert", "person"])
@pytest.mark.parametrize("wait", [store_waiting, type_waiting], ids=["of an alert", "of a person"])
def test_an_entry_that_is_still_to_be_made_is_offset_for_alerts_and_persons(
    worker_env: WorkerEnv, wait: Callable[[WorkerEnv], UUID], reverse: Callable[[WorkerEnv], UUID]
) -> None:
    hold(worker_env, 1)
    waiting = wait(worker_env)
    run_next(worker_env, reverse(worker_env))
    assert [(1, 1)] == worker_env.rows(PLANS)
    worker_env.run_due_jobs()
    if wait is type_waiting:  # the entry of an alert waits for the one before it
        assert -1 == worker_env.venue.position()
    run_next(worker_env, waiting)
    assert f"an entry that reversed {MNQ} was requested after this one" in result_of(worker_env, waiting)
    run_until(worker_env, -1)


def test_an_entry_of_a_person_that_waits_closes_nothing_that_was_opened_after_a_flatten(worker_env: WorkerEnv) -> None:
    waiting = type_waiting(worker_env)
    worker_env.flatten(MNQ)
    worker_env.run_due_jobs()
    hold(worker_env, -1)
    run_next(worker_env, waiting)
    assert f"{MNQ} was closed by a later request" in result_of(worker_env, waiting)
    run_until(worker_env, -1)


@pytest.mark.parametrize(
    ("state", "requested_by", "opening"),
    [("SUBMITTING", EARLIER, 1), ("IN_DOUBT", EARLIER, 1), ("WORKING", EARLIER, 1), ("IN_DOUBT", LATER, 2)],
)
def test_an_earlier_market_entry_that_is_not_confirmed_for_15_s_is_offset(
    worker_env: WorkerEnv, state: str, requested_by: UUID, opening: int
) -> None:
    """It is waited for no longer, and not sent again after this; one that was requested later is."""
    hold(worker_env, 1)
    worker_env.execute(UNCONFIRMED.format(state, requested_by))
    closing = sell_three(worker_env)
    worker_env.execute(f"UPDATE job SET enqueued_at = now() - interval '16 s' WHERE id = '{closing}'")
    run_next(worker_env, closing)

    assert [(1, opening)] == worker_env.rows(PLANS)


@pytest.mark.parametrize(("quantity", "opening"), [("-5", 2), ("3000000000", 0), (str(10**30), 0), ('"many"', 0)])
def test_what_a_person_typed_that_no_rule_has_seen_ends_no_exit_and_enlarges_no_entry(
    worker_env: WorkerEnv, quantity: str, opening: int
) -> None:
    hold(worker_env, 1)
    waiting = type_waiting(worker_env)
    worker_env.execute(
        f"UPDATE job SET arguments = jsonb_set(arguments, '{{quantity}}', '{quantity}') WHERE id = '{waiting}'"
    )
    run_next(worker_env, sell_three(worker_env))

    assert [(1, opening)] == worker_env.rows(PLANS)


@pytest.mark.parametrize(
    "fields",
    [
        {"symbol": "MES"},
        {"symbol": "no such symbol"},
        {"side": Side.SELL},
        {"type": OrderType.LIMIT, "limit_price": "10000"},
        {"is_dry_run": True},
    ],
    ids=["another contract", "none", "its own side", "limit", "dry run"],
)
def test_another_entry_of_a_person_takes_nothing_from_what_a_market_entry_opens(
    worker_env: WorkerEnv, fields: dict[str, Any]
) -> None:
    hold(worker_env, 1)
    type_waiting(worker_env, **fields)
    run_next(worker_env, sell_three(worker_env))

    assert [(1, 2)] == worker_env.rows(PLANS)


def test_nothing_is_opened_while_an_entry_of_a_person_has_no_size(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    type_waiting(worker_env, quantity=None, risk="450")
    run_next(worker_env, sell_three(worker_env))

    assert [(1, 0)] == worker_env.rows(PLANS)


def test_a_target_position_that_is_still_to_be_reached_is_offset_by_what_it_lacks(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    waiting = store_waiting(worker_env, **TO_LONG_3)
    run_next(worker_env, sell_three(worker_env))
    assert [(1, 0)] == worker_env.rows(PLANS)
    worker_env.execute(f"UPDATE job SET run_at = now() WHERE id = '{waiting}'")
    run_until(worker_env, 0)


def test_entries_that_are_still_to_be_made_count_in_their_order(worker_env: WorkerEnv) -> None:
    """Of the three that the target position wants, the entry before it makes the second."""
    hold(worker_env, 1)
    type_waiting(worker_env)
    store_waiting(worker_env, **TO_LONG_3)
    worker_env.entry_alert(action="sell", quantity=5)
    ((closing,),) = worker_env.rows(CLOSING)
    run_next(worker_env, closing)

    assert [(1, 2)] == worker_env.rows(PLANS)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE hook SET paused_at = now() WHERE id = 'HOOK'",
        """UPDATE hook SET settings = '{"symbols": {"ES": "MES"}}' WHERE id = 'HOOK'""",
        """UPDATE hook SET settings = '{"has_pyramiding": false}' WHERE id = 'HOOK'""",
        "UPDATE alert SET sent_at = received_at - interval '1 hour' WHERE hook_id = 'HOOK'",
        CLOSED_BEFORE,
    ],
    ids=["paused", "takes other symbols", "adds to no position", "stale", "has closed only"],
)
def test_an_earlier_entry_that_opens_nothing_is_not_offset(worker_env: WorkerEnv, change: str) -> None:
    hold(worker_env, 1)
    hook_id = worker_env.add_hook()
    store_waiting(worker_env, hook_id)
    worker_env.execute(change.replace("HOOK", str(hook_id)))
    run_next(worker_env, sell_three(worker_env))

    assert [(1, 2)] == worker_env.rows(PLANS)


@pytest.mark.parametrize("wait", [store_waiting, type_waiting], ids=["of an alert", "of a person"])
@pytest.mark.parametrize("exit_", [{"action": "sell", "quantity": 1}, {"action": "close"}], ids=["reversed", "closed"])
def test_an_entry_that_was_dropped_before_is_not_offset_again(
    worker_env: WorkerEnv, wait: Callable[[WorkerEnv], UUID], exit_: dict[str, Any]
) -> None:
    """What is held by then was entered after it was dropped."""
    hold(worker_env, 1)
    waiting = wait(worker_env)
    worker_env.store_alert(None, {"symbol": "MNQ"} | exit_)
    worker_env.run_due_jobs()
    worker_env.run(EnterManually(account_id=20001, symbol="MNQ", side=Side.BUY, quantity=1, stop_loss_ticks=400))
    run_next(worker_env, sell_three(worker_env))

    assert result_of(worker_env, waiting).startswith("queued")
    assert (1, 2) == worker_env.rows(PLANS)[-1]
