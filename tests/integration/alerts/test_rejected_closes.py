"""A market entry whose exit the venue rejects is closed all the same: only what it would open is given up."""

from uuid import UUID

import pytest

from shared.domain.orders.order import Side
from shared.ledger.jobs.orders import EnterManually
from tests.fixtures.alert_steps import OTHER_MONTH, hold, result_of, run_next, run_until
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

EXIT_STATES = "SELECT state FROM orders WHERE role = 'EXIT' AND origin = 'alert' ORDER BY created_at"
FLATTENS = "SELECT contract_id, origin FROM flatten_request"
REDUCTIONS = "SELECT id FROM job WHERE name = 'orders.reduce_position' AND state = 'queued'"
# What is held was entered before that.
REQUESTED_AGO = """
    WITH earlier AS (UPDATE orders SET created_at = created_at - interval '1 day' WHERE role = 'ENTRY'),
         filled AS (UPDATE fill SET recorded_at = recorded_at - interval '1 day'),
         held AS (UPDATE position SET opened_market_at = opened_market_at - interval '1 day')
    UPDATE entry_reversal SET requested_at = now() - interval '{}'
"""


def reject_orders(worker_env: WorkerEnv, count: int) -> None:
    worker_env.venue.faults(path="/api/Order/place", kind="reject", error_code=2, message="no", count=count)


def ask_once(worker_env: WorkerEnv, job_id: UUID) -> None:
    """Run a job that requests a close, and then the close."""
    run_next(worker_env, job_id)
    ((reduction,),) = worker_env.rows(REDUCTIONS)
    run_next(worker_env, reduction)


@pytest.mark.parametrize("is_by_closing_job", [True, False])
def test_a_market_exit_of_all_is_flattened_once_it_was_rejected_for_15_s(
    worker_env: WorkerEnv, *, is_by_closing_job: bool
) -> None:
    hold(worker_env, 2)
    reject_orders(worker_env, 1_000)
    job_id = worker_env.entry_alert(action="sell", quantity=2)
    ((closing,),) = worker_env.rows("SELECT id FROM job WHERE name = 'alerts.close_reversed' AND state = 'queued'")
    asking = closing if is_by_closing_job else job_id
    ask_once(worker_env, asking)
    worker_env.execute(REQUESTED_AGO.format("16 s"))
    run_next(worker_env, asking)
    assert [(MNQ, "alert")] == worker_env.rows(FLATTENS)
    assert result_of(worker_env, asking).startswith("queued")
    run_until(worker_env, 0)

    assert ["succeeded"] * 2 == [result_of(worker_env, one)[:9] for one in (job_id, closing)]


def test_a_manual_exit_of_all_is_flattened_once_it_was_rejected_for_15_s(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    reject_orders(worker_env, 1_000)
    job_id = worker_env.enqueue(EnterManually(account_id=20001, symbol="MNQ", side=Side.SELL, quantity=2))
    ask_once(worker_env, job_id)
    worker_env.execute(REQUESTED_AGO.format("16 s"))
    run_next(worker_env, job_id)
    assert [(MNQ, "manual")] == worker_env.rows(FLATTENS)
    run_until(worker_env, 0)

    assert result_of(worker_env, job_id).startswith("succeeded")


def test_a_reversal_is_flattened_and_opens_nothing_once_it_was_rejected_for_15_s(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    reject_orders(worker_env, 1_000)
    job_id = worker_env.entry_alert(action="sell", quantity=3)
    ask_once(worker_env, job_id)
    worker_env.execute(REQUESTED_AGO.format("16 s"))
    run_next(worker_env, job_id)
    run_until(worker_env, 0)

    assert "could not be closed in time, so it opens nothing" in result_of(worker_env, job_id)


@pytest.mark.parametrize(("held_later", "quantity"), [(0, 1), (1, 2)], ids=["a part", "all, and more was bought since"])
def test_what_is_not_all_that_is_held_is_asked_for_until_it_is_closed(
    worker_env: WorkerEnv, held_later: int, quantity: int
) -> None:
    hold(worker_env, 2)
    reject_orders(worker_env, 1)
    job_id = worker_env.entry_alert(action="sell", quantity=quantity)
    ask_once(worker_env, job_id)
    if held_later:
        worker_env.venue.trade(side=0, size=1)
        worker_env.execute("UPDATE position SET quantity = 3")
    reject_orders(worker_env, 1)
    worker_env.execute(REQUESTED_AGO.format("16 s"))
    worker_env.execute("UPDATE fill SET recorded_at = now() - interval '20 s'")  # so the position is no later one
    ask_once(worker_env, job_id)
    run_until(worker_env, 2 + held_later - quantity)

    assert [("REJECTED",), ("REJECTED",), ("FILLED",)] == worker_env.rows(EXIT_STATES)
    assert [] == worker_env.rows(FLATTENS)
    assert result_of(worker_env, job_id).startswith("succeeded")


def test_a_part_is_not_asked_for_again_while_its_exit_may_have_filled(worker_env: WorkerEnv) -> None:
    hold(worker_env, 3)
    job_id = worker_env.entry_alert(action="sell", quantity=1)
    ask_once(worker_env, job_id)  # its fill is not recorded yet
    worker_env.execute(REQUESTED_AGO.format("16 s"))
    worker_env.execute(f"UPDATE job SET enqueued_at = now() - interval '16 s' WHERE id = '{job_id}'")
    run_next(worker_env, job_id)

    assert [] == worker_env.rows(REDUCTIONS)
    run_until(worker_env, 2)


def test_a_part_that_is_rejected_for_an_hour_is_given_up(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    reject_orders(worker_env, 1_000)
    job_id = worker_env.entry_alert(action="sell", quantity=1)
    ask_once(worker_env, job_id)
    worker_env.execute(REQUESTED_AGO.format("61 min"))
    run_next(worker_env, job_id)

    assert "could not be closed in time" in result_of(worker_env, job_id)


@pytest.mark.parametrize(
    ("state", "filled", "told"),
    [
        ("FILLED", 2, "was entered against it again"),
        ("FILLED", 0, "so it is flattened"),
        ("WORKING", 0, "an order against it in"),
        ("IN_DOUBT", 0, "an order against it in"),
    ],
)
def test_what_was_entered_after_a_rejected_exit_is_not_flattened(
    worker_env: WorkerEnv, state: str, filled: int, told: str
) -> None:
    hold(worker_env, 2)
    reject_orders(worker_env, 1_000)
    job_id = worker_env.entry_alert(action="sell", quantity=2)
    ask_once(worker_env, job_id)
    worker_env.execute(REQUESTED_AGO.format("16 s"))
    worker_env.execute(f"UPDATE job SET enqueued_at = now() - interval '16 s' WHERE id = '{job_id}'")
    worker_env.execute(
        "INSERT INTO orders (id, account_id, contract_id, origin, role, side, type, quantity, filled_quantity, state,"
        " correlation_id)"
        f" VALUES (gen_random_uuid(), 20001, '{MNQ}', 'external', 'ENTRY', 'BUY', 'MARKET', 2, {filled}, '{state}',"
        " gen_random_uuid())"
    )
    run_next(worker_env, job_id)

    assert told in result_of(worker_env, job_id)
    assert ([(MNQ, "alert")] if "flattened" in told else []) == worker_env.rows(FLATTENS)


def test_what_is_not_flattened_for_an_hour_because_of_an_order_in_doubt_is_given_up(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    reject_orders(worker_env, 1_000)
    job_id = worker_env.entry_alert(action="sell", quantity=2)
    ask_once(worker_env, job_id)
    worker_env.execute(REQUESTED_AGO.format("61 min"))
    worker_env.execute(f"UPDATE job SET enqueued_at = now() - interval '61 min' WHERE id = '{job_id}'")
    worker_env.execute(
        "INSERT INTO orders (id, account_id, contract_id, origin, role, side, type, quantity, state, correlation_id)"
        f" VALUES (gen_random_uuid(), 20001, '{MNQ}', 'external', 'ENTRY', 'BUY', 'MARKET', 2, 'IN_DOUBT',"
        " gen_random_uuid())"
    )
    run_next(worker_env, job_id)

    assert "could not be closed in time" in result_of(worker_env, job_id)
    assert [] == worker_env.rows(FLATTENS)


def sell_later(worker_env: WorkerEnv, quantity: int) -> tuple[UUID, UUID]:
    """Store an alert that sells; return its job, and the one that closes what it reverses."""
    job_id = worker_env.entry_alert(action="sell", quantity=quantity)
    ((closing,),) = worker_env.rows("SELECT id FROM job WHERE name = 'alerts.close_reversed' ORDER BY id DESC LIMIT 1")
    return job_id, closing


@pytest.mark.parametrize(("waited_s", "has_waited"), [(0, False), (16, False), (21, True)])
def test_a_later_entry_waits_20_s_for_an_exit_on_its_side_that_was_rejected(
    worker_env: WorkerEnv, waited_s: int, *, has_waited: bool
) -> None:
    """That one is flattened 15 s after its close was requested, whenever the later one came."""
    hold(worker_env, 2)
    reject_orders(worker_env, 1)
    ask_once(worker_env, worker_env.entry_alert(action="sell", quantity=2))
    worker_env.execute(REQUESTED_AGO.format(f"{waited_s} s"))
    later, closing = sell_later(worker_env, 2)
    run_next(worker_env, closing)
    assert len(worker_env.rows("SELECT 1 FROM entry_reversal")) == (2 if has_waited else 1)
    assert result_of(worker_env, closing).startswith("queued: ")
    run_until(worker_env, 0 if has_waited else -2)

    assert result_of(worker_env, later).startswith("succeeded")


def test_a_later_entry_waits_for_a_manual_exit_on_its_side_that_was_rejected(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    reject_orders(worker_env, 1)
    ask_once(worker_env, worker_env.enqueue(EnterManually(account_id=20001, symbol="MNQ", side=Side.SELL, quantity=2)))
    later, closing = sell_later(worker_env, 2)
    run_next(worker_env, closing)
    assert len(worker_env.rows("SELECT 1 FROM entry_reversal")) == 1
    run_until(worker_env, -2)

    assert result_of(worker_env, later).startswith("succeeded")


def sell_one_of_two(worker_env: WorkerEnv, *, is_typed: bool) -> UUID:
    """Hold two, and let the venue reject the exit of one; return the job that asks for it again."""
    hold(worker_env, 2)
    reject_orders(worker_env, 1)
    if is_typed:
        job_id = worker_env.enqueue(EnterManually(account_id=20001, symbol="MNQ", side=Side.SELL, quantity=1))
    else:
        _, job_id = sell_later(worker_env, 1)
    ask_once(worker_env, job_id)
    return job_id


@pytest.mark.parametrize("is_typed", [False, True])
def test_a_part_that_is_rejected_is_given_up_once_a_later_request_closes_all(
    worker_env: WorkerEnv, *, is_typed: bool
) -> None:
    job_id = sell_one_of_two(worker_env, is_typed=is_typed)
    worker_env.flatten(MNQ)
    run_next(worker_env, job_id)
    assert f"{MNQ} was closed by a later request" in result_of(worker_env, job_id)
    run_until(worker_env, 0)


@pytest.mark.parametrize("is_typed", [False, True])
def test_a_part_that_is_rejected_is_not_given_up_for_a_flatten_that_was_dropped(
    worker_env: WorkerEnv, *, is_typed: bool
) -> None:
    job_id = sell_one_of_two(worker_env, is_typed=is_typed)
    worker_env.flatten(MNQ)
    worker_env.execute("UPDATE flatten_request SET dropped_at = now()")
    run_next(worker_env, job_id)
    assert "is closed again" in result_of(worker_env, job_id)
    run_until(worker_env, 1)


@pytest.mark.parametrize("is_typed", [False, True])
@pytest.mark.parametrize(("quantity", "left"), [(1, 1), (2, 0)])
def test_a_rejected_exit_is_requested_again_in_its_month_though_another_one_has_become_active(
    worker_env: WorkerEnv, quantity: int, left: int, *, is_typed: bool
) -> None:
    hold(worker_env, 2)
    reject_orders(worker_env, 1)
    if is_typed:
        typed = EnterManually(account_id=20001, symbol="MNQH6", side=Side.SELL, quantity=quantity)
        closing = worker_env.enqueue(typed)
    else:
        _, closing = sell_later(worker_env, quantity)
    ask_once(worker_env, closing)
    roll(worker_env)
    run_next(worker_env, closing)
    assert "is closed again" in result_of(worker_env, closing)
    run_until(worker_env, left)


@pytest.mark.parametrize("is_typed", [False, True])
def test_what_was_to_be_opened_in_a_month_that_is_active_no_longer_is_given_up(
    worker_env: WorkerEnv, *, is_typed: bool
) -> None:
    hold(worker_env, 2)
    if is_typed:
        typed = EnterManually(account_id=20001, symbol="MNQ", side=Side.SELL, quantity=3, stop_loss_ticks=400)
        job_id = worker_env.enqueue(typed)
    else:
        job_id = worker_env.entry_alert(action="sell", quantity=3)
    run_next(worker_env, job_id)
    roll(worker_env)
    run_until(worker_env, 0)

    assert f"{MNQ} was closed and is not the active contract any more" in result_of(worker_env, job_id)


def roll(worker_env: WorkerEnv) -> None:
    """Make another month the active one."""
    worker_env.execute(
        "INSERT INTO contract SELECT (jsonb_populate_record(c, jsonb_build_object("
        f"'id', '{OTHER_MONTH}', 'name', 'MNQM6'))).* FROM contract c WHERE id = '{MNQ}'"
    )
    worker_env.execute(f"UPDATE contract SET is_active = false WHERE id = '{MNQ}'")
