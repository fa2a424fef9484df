"""Alerts that move stops: what changes, what stays, and what each leaves in its signal."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from shared.hot.quotes import quote_key
from tests.fixtures.alert_steps import (
    ENTRIES,
    MODIFY,
    TICK,
    average,
    hold,
    hold_other_month,
    last_signal,
    move_average,
    result_of,
    run_change,
    run_next,
    run_until,
    stop_prices,
)
from tests.fixtures.receiver_process import ReceiverProcess
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from workers.orders.current_state import WAIT_FOR
from workers.wiring import open_runner

pytest_plugins = ("tests.fixtures.receiver",)

SIDES = pytest.mark.parametrize("sign", [1, -1], ids=["long", "short"])


@SIDES
def test_a_stop_moves_to_a_price_rounded_to_the_tick(worker_env: WorkerEnv, sign: int) -> None:
    hold(worker_env, sign)
    wanted = average(worker_env) - sign * 50
    job_id = run_change(worker_env, action="move_stop", stop_loss=str(wanted + Decimal("0.06")))

    assert [wanted] == stop_prices(worker_env)
    assert result_of(worker_env, job_id).startswith("succeeded")
    assert ("MOVE_STOP", "accepted", f"the stop of {MNQ} moves to {wanted:.2f}") == last_signal(worker_env)
    assert [("alert", "DONE")] == worker_env.rows("SELECT origin, state FROM order_change")


@SIDES
def test_a_stop_moves_to_a_distance_from_the_average_price(worker_env: WorkerEnv, sign: int) -> None:
    hold(worker_env, sign)
    run_change(worker_env, action="modify_stop", stop_loss_ticks=200)

    assert [average(worker_env) - sign * 200 * TICK] == stop_prices(worker_env)


@SIDES
def test_a_stop_on_the_wrong_side_of_the_market_is_refused_with_both_prices(worker_env: WorkerEnv, sign: int) -> None:
    hold(worker_env, sign)
    before, wrong = stop_prices(worker_env), average(worker_env) + sign * 50
    job_id = run_change(worker_env, action="move_stop", stop_loss=str(wrong))

    assert before == stop_prices(worker_env)
    action, verdict, reason = last_signal(worker_env)
    assert ("MOVE_STOP", "denied") == (action, verdict)
    assert f"a stop at {wrong:.2f} would fill at once: {MNQ} could be closed at 2" in reason
    assert f"failed: RefusedError: {reason}" == result_of(worker_env, job_id)
    assert [] == worker_env.venue.requests(MODIFY)


@SIDES
def test_the_stop_moves_to_breakeven(worker_env: WorkerEnv, sign: int) -> None:
    hold(worker_env, sign)
    paid = move_average(worker_env, sign * -50)
    run_change(worker_env, action="breakeven")

    assert [paid] == stop_prices(worker_env)
    assert ("BREAKEVEN", "accepted") == last_signal(worker_env)[:2]


def test_a_breakeven_that_the_market_has_passed_is_refused(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    before, paid = stop_prices(worker_env), move_average(worker_env, 50)
    job_id = run_change(worker_env, action="breakeven")

    assert f"and the average price is {paid}" in result_of(worker_env, job_id)
    assert before == stop_prices(worker_env)


@SIDES
def test_a_breakeven_never_moves_a_stop_towards_more_loss(worker_env: WorkerEnv, sign: int) -> None:
    hold(worker_env, sign)
    before = stop_prices(worker_env)
    move_average(worker_env, sign * -200)
    job_id = run_change(worker_env, action="breakeven")

    assert before == stop_prices(worker_env)
    assert "protects more than breakeven" in result_of(worker_env, job_id)
    assert last_signal(worker_env)[2].startswith(f"nothing to do: the stop of {MNQ} is at {before[0]}")


def test_every_stop_of_the_position_moves(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    hold_more = worker_env.entry_alert(action="buy", quantity=1, stop_loss_ticks=300)
    run_until(worker_env, 2)
    assert result_of(worker_env, hold_more).startswith("succeeded")
    assert 2 == len(set(stop_prices(worker_env)))
    wanted = (average(worker_env) - 50).quantize(Decimal(1))
    run_change(worker_env, action="move_stop", stop_loss=str(wanted))

    assert [wanted, wanted] == stop_prices(worker_env)


def test_a_move_to_where_the_stop_is_has_nothing_to_do(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    (now,) = stop_prices(worker_env)
    worker_env.redis.delete(quote_key(MNQ))
    job_id = worker_env.critical_alert(action="move_stop", stop_loss=str(now))
    worker_env.runner.run(job_id)

    assert f"the stop of {MNQ} is at {now}" in result_of(worker_env, job_id)
    assert ("MOVE_STOP", "accepted", f"nothing to do: the stop of {MNQ} is at {now}") == last_signal(worker_env)
    assert [] == worker_env.venue.requests(MODIFY)


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "move_stop", "stop_loss": 20000},
        {"action": "breakeven"},
        {"action": "trail", "trail_ticks": 40},
        {"action": "breakeven", "symbol": "ES"},
    ],
    ids=str,
)
def test_without_a_position_no_stop_is_changed(worker_env: WorkerEnv, fields: dict[str, Any]) -> None:
    job_id = run_change(worker_env, **fields)

    why = f"no position in {fields.get('symbol', 'MNQ')}"
    assert why in result_of(worker_env, job_id)
    assert ("accepted", f"nothing to do: {why}") == last_signal(worker_env)[1:]


def test_a_position_in_a_month_that_the_symbol_does_not_name_keeps_its_stop(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    job_id = run_change(worker_env, action="move_stop", symbol="MNQU2031", stop_loss_ticks=100)

    assert "no position in MNQU2031" in result_of(worker_env, job_id)
    assert [] == worker_env.venue.requests(MODIFY)


def test_a_stop_moves_in_one_month_though_another_has_none(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    hold_other_month(worker_env)
    job_id = worker_env.critical_alert(action="move_stop", stop_loss_ticks=100)
    run_next(worker_env, job_id)
    assert [("queued",)] == worker_env.rows("SELECT state FROM job WHERE id = %s", job_id)
    worker_env.execute(f"UPDATE job SET enqueued_at = now() - interval '{WAIT_FOR.seconds} s' WHERE id = '{job_id}'")
    run_next(worker_env, job_id)

    _, verdict, reason = last_signal(worker_env)
    assert "accepted" == verdict
    assert "no stop is working for the position in CON.F.US.MNQ.M26 within 15 s" in reason
    assert f"the stop of {MNQ} moves to {average(worker_env) - 100 * TICK}" in reason


@pytest.mark.parametrize("halt", [False, True])
def test_a_wider_stop_is_allowed_within_the_risk_rules_and_never_under_a_halt(
    worker_env: WorkerEnv, *, halt: bool
) -> None:
    hold(worker_env, 1)
    (now,) = stop_prices(worker_env)
    if halt:
        worker_env.execute("UPDATE account SET halted_at = now(), halt_reason = 'a test'")
    job_id = run_change(worker_env, action="move_stop", stop_loss=str(now - 10))

    assert ([now] if halt else [now - 10]) == stop_prices(worker_env)
    assert halt is (f"a stop at {now - 10} of {MNQ} is wider than at {now}: the account is halted: a test" in
                    result_of(worker_env, job_id))  # fmt: skip


def test_a_wider_stop_beyond_the_loss_limit_is_denied(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    before = stop_prices(worker_env)
    job_id = run_change(worker_env, action="move_stop", stop_loss_ticks=40000)

    assert before == stop_prices(worker_env)
    assert "failed: RiskLimitError: a stop at" in result_of(worker_env, job_id)
    assert "not above the loss limit level" in last_signal(worker_env)[2]


def test_no_halt_and_no_loss_limit_stops_what_protects(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.entry_alert(action="buy", limit_price=20000)
    worker_env.run_due_jobs()
    paid = move_average(worker_env, -50)
    worker_env.execute(
        "UPDATE account SET halted_at = now(), halt_reason = 'a test', breached_market_at = now(), can_trade = false"
    )
    run_change(worker_env, action="move_stop", stop_loss=str(paid - 10))
    assert [paid - 10] == stop_prices(worker_env)
    run_change(worker_env, action="breakeven")
    assert [paid] == stop_prices(worker_env)
    run_change(worker_env, action="cancel")

    assert ("BUY", "LIMIT", 1, "CANCELLED") == tuple(worker_env.rows(ENTRIES)[-1])


def test_a_trailing_distance_is_stored_once_and_recorded_as_an_event(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    for _ in range(2):
        job_id = run_change(worker_env, action="trail", trail_ticks=60)

    assert [(60,)] == worker_env.rows("SELECT trail_ticks FROM orders WHERE role = 'ENTRY'")
    events = worker_env.rows("SELECT message FROM account_event WHERE kind = 'trail'")
    assert [(f"{MNQ}: the stop follows by 60 ticks, by an alert",)] == events
    assert "nothing_to_do" in result_of(worker_env, job_id)


def test_a_second_run_of_a_change_does_nothing_more(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    job_id = run_change(worker_env, action="move_stop", stop_loss_ticks=100)
    worker_env.runner.run(job_id)
    worker_env.run_due_jobs()

    assert 1 == len(worker_env.venue.requests(MODIFY))
    assert [(1,)] == worker_env.rows("SELECT count(*) FROM signal WHERE action = 'MOVE_STOP'")


@pytest.mark.parametrize("action", ["cancel", "move_stop", "breakeven", "trail"])
def test_an_account_whose_live_orders_were_never_on_is_denied(worker_env: WorkerEnv, action: str) -> None:
    hold(worker_env, 1)
    worker_env.entry_alert(action="buy", limit_price=20000)
    worker_env.run_due_jobs()
    real = replace(worker_env.settings, venue=replace(worker_env.settings.venue, is_simulator=False))
    job_id = worker_env.critical_alert(action=action, stop_loss_ticks=100, trail_ticks=40)
    with open_runner(real, process("real/1"), program="test") as runner:
        runner.run(job_id)

    assert "failed: RiskLimitError: live orders of account" in result_of(worker_env, job_id)
    assert (action.upper(), "denied") == last_signal(worker_env)[:2]
    assert [] == worker_env.rows("SELECT 1 FROM order_change")


@pytest.mark.parametrize(
    "fields", [{"action": "cancel"}, {"action": "move_stop", "stop_loss": 1}, {"action": "breakeven"}], ids=str
)
def test_the_receiver_takes_a_change_of_a_symbol_that_is_not_traded(
    receiver: ReceiverProcess, fields: dict[str, Any]
) -> None:
    assert 202 == receiver.post(fields | {"symbol": "ES"}).status_code
    assert [("critical", None, None)] == receiver.rows("SELECT queue, sequence_key, expires_at FROM job")
