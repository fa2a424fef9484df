"""The position to which a target position or an exit leads, whatever is held and whatever rests."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from shared.clock import machine_now
from shared.ids import lowest_id_at
from shared.ledger.jobs.orders import ReconcileAccounts
from tests.fixtures.alert_steps import (
    ENTRIES,
    hold,
    last_signal,
    result_of,
    run_next,
    run_until,
    stop_quantities,
    strategy_fields,
    time_ago,
)
from tests.fixtures.worker_env import WorkerEnv

TO_SHORT_1 = strategy_fields(quantity=2, market_position="short", market_position_size=1)


def test_an_exit_after_the_stop_was_hit_opens_no_short(worker_env: WorkerEnv) -> None:
    flat = strategy_fields(market_position="flat", market_position_size=0, prev_market_position="long")
    job_id = worker_env.critical_alert(**flat)
    run_until(worker_env, 0)

    assert result_of(worker_env, job_id).startswith("succeeded")
    assert [] == worker_env.rows(ENTRIES)
    assert "nothing to do" in last_signal(worker_env)[2]


def test_a_close_of_all_says_whether_it_found_something(worker_env: WorkerEnv) -> None:
    worker_env.critical_alert()
    run_until(worker_env, 0)
    nothing = "nothing to do, unless the venue knows more: nothing is held, and no order rests"
    assert ("CLOSE", "accepted", nothing) == last_signal(worker_env)
    hold(worker_env, 1)
    worker_env.critical_alert()
    run_until(worker_env, 0)

    assert ("CLOSE", "accepted", "a close covers the whole position of the contract") == last_signal(worker_env)


def test_a_reversal_closes_first_and_enters_the_size_that_is_wanted(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.entry_alert(**TO_SHORT_1)
    run_until(worker_env, -1)

    assert [("BUY", "MARKET", 1, "FILLED"), ("SELL", "MARKET", 1, "FILLED")] == worker_env.rows(ENTRIES)
    assert [(1,)] == stop_quantities(worker_env)
    assert 1 == len(worker_env.rows("SELECT 1 FROM flatten_request"))


def test_a_stale_reversal_closes_what_is_held_against_it_and_enters_nothing(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    job_id = worker_env.entry_alert(**TO_SHORT_1, timenow=time_ago(45))
    run_until(worker_env, 0)

    assert "stale: it was sent 45 s before" in result_of(worker_env, job_id)
    assert ("SELL", "denied") == last_signal(worker_env)[:2]
    assert 1 == len(worker_env.rows(ENTRIES))


def test_a_stale_reversal_waits_for_the_fill_of_an_entry_received_before(worker_env: WorkerEnv) -> None:
    run_next(worker_env, worker_env.entry_alert())
    job_id = worker_env.entry_alert(**TO_SHORT_1, timenow=time_ago(45))
    run_next(worker_env, job_id)

    assert result_of(worker_env, job_id).startswith("queued: PostponedError")
    run_until(worker_env, 0)
    assert "stale" in result_of(worker_env, job_id)


@pytest.mark.parametrize("received_min", [0, 30], ids=["just before", "half an hour before"])
def test_a_stale_reversal_does_not_close_what_an_alert_sent_later_has_opened(
    worker_env: WorkerEnv, received_min: int
) -> None:
    hook_id = worker_env.add_hook()
    worker_env.entry_alert(hook_id, timenow=time_ago(1))
    run_until(worker_env, 1)
    before = timedelta(minutes=received_min)
    change = "UPDATE alert SET id = :new, received_at = received_at - :before, sent_at = sent_at - :before"
    with worker_env.ledger.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # its signal keeps the old id
        connection.execute(text(change), {"new": lowest_id_at(machine_now() - before), "before": before})
    job_id = worker_env.entry_alert(hook_id, **TO_SHORT_1, timenow=time_ago(45 + 60 * received_min))
    run_until(worker_env, 1)

    assert "stale" in result_of(worker_env, job_id)


def test_a_stale_reversal_closes_nothing_after_a_later_close(worker_env: WorkerEnv) -> None:
    """Somebody has closed the account while it waited, and has entered anew."""
    job_id = worker_env.entry_alert(**TO_SHORT_1, timenow=time_ago(45))
    worker_env.execute(f"UPDATE job SET run_at = now() + interval '1 hour' WHERE id = '{job_id}'")
    worker_env.flatten()
    worker_env.run_due_jobs()
    worker_env.venue.trade(side=0, size=1)
    worker_env.run(ReconcileAccounts())
    run_next(worker_env, job_id)
    run_until(worker_env, 1)

    assert "stale" in result_of(worker_env, job_id)


def test_a_stale_limit_entry_closes_nothing(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    job_id = worker_env.entry_alert(action="sell", limit_price=30000, timenow=time_ago(45))
    run_until(worker_env, 1)

    assert "stale" in result_of(worker_env, job_id)


def test_the_closing_part_of_a_reversal_passes_a_halt_that_denies_the_entry(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.execute("UPDATE account SET halted_at = now(), halt_reason = 'a test'")
    job_id = worker_env.entry_alert(**strategy_fields(quantity=2, market_position="short", market_position_size=1))
    run_until(worker_env, 0)

    assert "is halted: a test" in result_of(worker_env, job_id)


@pytest.mark.parametrize(
    ("held", "fields", "left"),
    [
        (3, {"action": "close", "quantity": 1}, 2),
        (3, {"action": "close", "quantity": 3}, 0),
        (3, {"action": "close", "quantity": "0"}, 0),
        (1, {"action": "close", "quantity": -1}, 0),
        (1, {"action": "close", "take_profit": "NaN", "stop_loss_ticks": 0}, 0),
        (3, {"action": "sell", "quantity": 2, "market_position": "long", "market_position_size": 1}, 1),
        (-2, {"action": "buy", "quantity": 1, "market_position": "short", "market_position_size": 1}, -1),
        (1, {"action": "buy", "quantity": 1, "market_position": "long", "market_position_size": 2}, 2),
        (1, {"action": "buy", "quantity": 1, "market_position": "long", "market_position_size": 1}, 1),
        (2, {"action": "close", "market_position": "long", "market_position_size": 1}, 1),
        (1, {"action": "sell", "quantity": 1, "market_position": "long", "market_position_size": 2}, 1),
        (3, {"action": "sell", "quantity": 1, "market_position": "long", "market_position_size": 1}, 1),
        (3, {"action": "sell", "quantity": 1, "market_position": "long"}, 2),
        (-1, {"action": "buy", "quantity": 1, "market_position": "flat", "market_position_size": None}, 0),
        (1, {"action": "close", "market_position": "short", "market_position_size": 1}, 0),
    ],
    ids=str,
)
def test_an_alert_leads_to_the_position_that_its_sender_meant(
    worker_env: WorkerEnv, held: int, fields: dict[str, Any], left: int
) -> None:
    hold(worker_env, held)
    worker_env.store_alert(None, strategy_fields(**fields))
    run_until(worker_env, left)

    assert abs(left) == sum(row[0] for row in stop_quantities(worker_env))


@pytest.mark.parametrize("position", ["long", "short"])
def test_a_part_of_a_position_that_is_not_held_opens_none(worker_env: WorkerEnv, position: str) -> None:
    action = "sell" if position == "long" else "buy"
    job_id = worker_env.critical_alert(
        **strategy_fields(action=action, market_position=position, market_position_size=1)
    )
    run_until(worker_env, 0)

    assert "an exit opens nothing" in result_of(worker_env, job_id)
    assert [] == worker_env.rows(ENTRIES)


def test_a_target_position_counts_the_entries_that_rest(worker_env: WorkerEnv) -> None:
    wanted = strategy_fields(action="buy", market_position="long", market_position_size=1, limit_price=20000)
    for _ in range(2):
        worker_env.entry_alert(**wanted)
        worker_env.run_due_jobs()

    assert [("BUY", "LIMIT", 1, "WORKING")] == worker_env.rows(ENTRIES)


def test_a_target_position_on_the_other_side_cancels_the_entries_that_rest_against_it(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(**strategy_fields(action="buy", limit_price=20000))
    worker_env.run_due_jobs()
    worker_env.entry_alert(**strategy_fields(market_position="short", market_position_size=1))
    run_until(worker_env, -1)

    assert [("BUY", "LIMIT", 1, "CANCELLED"), ("SELL", "MARKET", 1, "FILLED")] == worker_env.rows(ENTRIES)


def test_two_parts_at_once_never_reverse_the_position(worker_env: WorkerEnv) -> None:
    hold(worker_env, 3)
    for _ in range(2):
        worker_env.critical_alert(quantity=2)
    run_until(worker_env, 0)

    assert [] == stop_quantities(worker_env)


def test_a_target_position_that_is_reached_is_recorded_as_nothing_to_do(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    job_id = worker_env.entry_alert(**strategy_fields(action="buy", market_position="long", market_position_size=1))
    run_until(worker_env, 1)

    assert "+1 is held, +1 is wanted" in result_of(worker_env, job_id)
    signals = worker_env.rows("SELECT verdict, reason FROM signal ORDER BY decided_at")
    assert ("accepted", "nothing to do: +1 is held, +1 is wanted") == tuple(signals[-1])


def test_a_close_of_a_month_that_is_not_held_closes_no_other(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    job_id = worker_env.critical_alert(symbol="MNQU2031")
    run_until(worker_env, 1)

    assert "nothing to close: no position and no order in MNQU2031" in result_of(worker_env, job_id)


@pytest.mark.parametrize(
    ("held", "action", "left"),
    [(1, "close_long", 0), (1, "close_short", 1), (-1, "exit_short", 0), (-1, "EXIT_LONG", -1)],
)
def test_a_close_of_one_side_leaves_the_other(worker_env: WorkerEnv, held: int, action: str, left: int) -> None:
    hold(worker_env, held)
    job_id = worker_env.critical_alert(action=action)
    run_until(worker_env, left)

    assert ("an exit opens nothing" in result_of(worker_env, job_id)) is (left != 0)


def test_a_sell_with_market_position_long_leaves_a_short_alone(worker_env: WorkerEnv) -> None:
    hold(worker_env, -2)
    job_id = worker_env.critical_alert(action="sell", quantity=1, market_position="long")
    worker_env.run_due_jobs()

    assert "no LONG position" in result_of(worker_env, job_id)
    assert -2 == worker_env.venue.position()
