"""A reduce-only account at the venue: it only becomes smaller, whichever way and whenever an entry comes."""

from typing import Any
from uuid import UUID

import pytest

from shared.db.accounts import halts
from shared.domain.orders.order import OrderType, Side
from shared.ids import new_id
from shared.ledger.jobs.orders import EnterManually, PlaceOrder
from tests.fixtures.alert_steps import ENTRIES, average, hold, last_signal, result_of, run_until, strategy_fields
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

PASSES = "reduce-only: CPI; only an entry that makes a position smaller passes"
CLOSED_FIRST = f"2 of {MNQ} closed first, nothing is opened: {PASSES}"
LAST_ENTRY = "SELECT id, state, reason FROM orders WHERE role = 'ENTRY' ORDER BY id DESC LIMIT 1"


def make_reduce_only(worker_env: WorkerEnv) -> None:
    with worker_env.ledger.engine.begin() as connection:
        assert halts.halt(connection, "CPI", is_reduce_only=True)


def side_of(sign: int) -> Side:
    return Side.BUY if sign > 0 else Side.SELL


def enter(worker_env: WorkerEnv, sign: int, quantity: int, **more: Any) -> tuple[str, Any, str | None]:
    fields: dict[str, Any] = {"type": OrderType.MARKET, "quantity": quantity, "stop_loss_ticks": 400} | more
    return worker_env.run(EnterManually(account_id=20001, symbol="MNQ", side=side_of(sign), **fields))


def record_unsent(worker_env: WorkerEnv, sign: int, quantity: int, role: str = "ENTRY", state: str = "CREATED") -> UUID:
    """Record an order that is not at the venue."""
    order_id = new_id()
    worker_env.execute(
        "INSERT INTO orders (id, account_id, contract_id, client_order_id, origin, role, side, type, quantity, "
        f"stop_loss_ticks, state, correlation_id) VALUES ('{order_id}', 20001, '{MNQ}', 'tw-0badf00d-{order_id.hex}', "
        f"'manual', '{role}', '{side_of(sign)}', 'MARKET', {quantity}, 400, '{state}', '{new_id()}')"
    )
    return order_id


@pytest.mark.parametrize("way", [1, -1])
def test_an_alert_may_only_make_the_position_smaller(worker_env: WorkerEnv, way: int) -> None:
    hold(worker_env, 2 * way)
    make_reduce_only(worker_env)
    adds = worker_env.entry_alert(action=side_of(way).lower())
    run_until(worker_env, 2 * way)
    assert PASSES in result_of(worker_env, adds)

    worker_env.entry_alert(action=side_of(-way).lower())
    run_until(worker_env, way)
    worker_env.critical_alert()
    run_until(worker_env, 0)
    opens = worker_env.entry_alert(action=side_of(way).lower())
    run_until(worker_env, 0)
    assert PASSES in result_of(worker_env, opens)
    with worker_env.ledger.engine.begin() as connection:
        assert [20001] == halts.resume(connection, "over")
    worker_env.entry_alert(action=side_of(way).lower())
    run_until(worker_env, way)


@pytest.mark.parametrize("way", [1, -1])
def test_of_an_order_beyond_the_position_the_closing_part_passes_and_the_rest_is_denied(
    worker_env: WorkerEnv, way: int
) -> None:
    hold(worker_env, 2 * way)
    make_reduce_only(worker_env)
    job_id = worker_env.entry_alert(action=side_of(-way).lower(), quantity=3)
    run_until(worker_env, 0)

    assert (side_of(-way), "denied", CLOSED_FIRST) == last_signal(worker_env)
    assert CLOSED_FIRST in result_of(worker_env, job_id)
    assert [("FILLED",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'EXIT'")


@pytest.mark.parametrize("way", [1, -1])
def test_of_an_order_by_hand_beyond_the_position_the_closing_part_passes_too(worker_env: WorkerEnv, way: int) -> None:
    hold(worker_env, 2 * way)
    make_reduce_only(worker_env)
    state, _, error = enter(worker_env, -way, 3)

    assert ("failed", True) == (state, CLOSED_FIRST in (error or "")), error
    assert [("FILLED",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'EXIT'")
    assert 0 == worker_env.venue.position(MNQ)


def test_of_a_limit_order_by_hand_beyond_the_position_the_closing_part_is_sent(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    make_reduce_only(worker_env)
    price = str(average(worker_env) + 100)
    state, result, error = enter(worker_env, -1, 3, type=OrderType.LIMIT, limit_price=price)

    note = f"only 2 of 3 is entered, which closes; the rest is denied: {PASSES}"
    assert ("succeeded", note) == (state, result["note"]), error
    assert ("SELL", "LIMIT", 2, "WORKING") == worker_env.rows(ENTRIES)[-1]


def test_a_target_position_on_the_other_side_closes_and_enters_nothing(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    make_reduce_only(worker_env)
    job_id = worker_env.entry_alert(**strategy_fields(quantity=3, market_position="short", market_position_size=1))
    run_until(worker_env, 0)

    assert PASSES in result_of(worker_env, job_id)
    assert [("BUY", "FILLED"), ("SELL", "DENIED")] == [(row[0], row[3]) for row in worker_env.rows(ENTRIES)]


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize(
    ("sign", "quantity", "others", "passes"),
    [
        (-1, 2, [], True),
        (-1, 3, [], False),
        (1, 1, [], False),
        (-1, 1, [(-1, "ENTRY", "WORKING")], True),
        (-1, 1, [(-1, "ENTRY", "WORKING"), (-1, "ENTRY", "CREATED")], False),
        (-1, 2, [(-1, "ENTRY", "IN_DOUBT")], False),
        (-1, 2, [(-1, "EXIT", "SUBMITTING")], False),
        (-1, 2, [(-1, "OTHER", "WORKING")], False),
        (-1, 2, [(-1, "STOP_LOSS", "WORKING"), (1, "ENTRY", "WORKING"), (-1, "ENTRY", "FILLED")], True),
    ],
)
def test_an_entry_recorded_before_the_account_became_reduce_only_is_sent_only_if_it_reduces(
    worker_env: WorkerEnv, way: int, sign: int, quantity: int, others: list[tuple[int, str, str]], *, passes: bool
) -> None:
    """`sign` and the others are relative to the position of two."""
    worker_env.execute(
        "INSERT INTO position (account_id, contract_id, direction, quantity, average_price) "
        f"VALUES (20001, '{MNQ}', '{'LONG' if way > 0 else 'SHORT'}', 2, 20000)"
    )
    for other, role, state in others:
        record_unsent(worker_env, other * way, 1, role, state)
    order_id = record_unsent(worker_env, sign * way, quantity)
    make_reduce_only(worker_env)
    ((result,),) = worker_env.rows("SELECT mark_submitting(%s, now(), now())", order_id)

    denial = "the account is reduce-only, and the order does not only reduce: CPI"
    assert ("submitting" if passes else denial) == result
    assert [("SUBMITTING" if passes else "DENIED",)] == worker_env.rows(
        "SELECT state FROM orders WHERE id = %s", order_id
    )


@pytest.mark.parametrize(("sign", "left"), [(1, 1), (-1, 0)])
def test_an_entry_that_has_waited_is_sent_to_the_venue_only_if_it_reduces(
    worker_env: WorkerEnv, sign: int, left: int
) -> None:
    hold(worker_env, 1)
    order_id = record_unsent(worker_env, sign, 1)
    worker_env.execute(f"UPDATE orders SET created_at = now() - interval '6 seconds' WHERE id = '{order_id}'")
    make_reduce_only(worker_env)
    worker_env.run(PlaceOrder(order_id=order_id))
    run_until(worker_env, left)

    ((state, reason),) = worker_env.rows("SELECT state, reason FROM orders WHERE id = %s", order_id)
    assert ("EXPIRED" if sign > 0 else "FILLED") == state
    assert sign < 0 or f"no longer allowed: {PASSES}" in reason


def test_the_watch_cancels_a_resting_entry_that_would_enlarge_the_position_and_leaves_one_that_reduces(
    worker_env: WorkerEnv,
) -> None:
    hold(worker_env, 2)
    for sign, away in ((1, -200), (-1, 200)):
        limit = {"type": OrderType.LIMIT, "limit_price": str(average(worker_env) + away)}
        state, _, error = enter(worker_env, sign, 1, **limit)
        assert "succeeded" == state, error
    make_reduce_only(worker_env)
    worker_env.write_quote()
    worker_env.watch()
    worker_env.run_due_jobs()
    worker_env.run_due_jobs()

    limits = "SELECT side, state FROM orders WHERE role = 'ENTRY' AND type = 'LIMIT' ORDER BY side"
    assert [("BUY", "CANCELLED"), ("SELL", "WORKING")] == worker_env.rows(limits)
    assert [(PASSES,)] == worker_env.rows("SELECT reason FROM order_change")
    assert 2 == worker_env.venue.position(MNQ)


def test_an_account_that_is_in_trouble_is_halted_although_it_is_reduce_only(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    make_reduce_only(worker_env)
    with worker_env.ledger.engine.begin() as connection:
        assert [20001] == halts.halt(connection, "a mismatch", 20001)
        assert [] == halts.halt(connection, "CPI", 20001, is_reduce_only=True)
    price = str(average(worker_env) + 100)
    state, _, error = enter(worker_env, -1, 1, type=OrderType.LIMIT, limit_price=price)

    assert ("failed", True) == (state, "is halted: a mismatch" in (error or ""))


def test_an_entry_that_only_reduces_waits_for_an_exit_on_its_way(worker_env: WorkerEnv) -> None:
    """Both could fill, and turn the position."""
    hold(worker_env, 2)
    make_reduce_only(worker_env)
    record_unsent(worker_env, -1, 2, role="EXIT", state="SUBMITTING")
    job_id = worker_env.entry_alert(action="sell", quantity=2)
    worker_env.runner.run(job_id)

    assert "is not confirmed, so the position is not known" in result_of(worker_env, job_id)
    assert result_of(worker_env, job_id).startswith("queued")


def test_a_stop_placed_elsewhere_keeps_no_reducing_order_from_being_sent(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    make_reduce_only(worker_env)
    worker_env.execute("UPDATE orders SET role = 'OTHER', origin = 'external' WHERE role = 'STOP_LOSS'")
    order_id = record_unsent(worker_env, -1, 1)
    worker_env.run(PlaceOrder(order_id=order_id))

    assert 0 == worker_env.venue.position(MNQ)
