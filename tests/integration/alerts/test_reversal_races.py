"""A market entry that meets an order or another job on its way: it is decided by the position that these lead to."""

from collections.abc import Callable
from dataclasses import replace
from threading import Thread
from typing import Any
from uuid import UUID

import psycopg
import pytest

from shared.db.alerts import alerts
from shared.db.alerts.alerts import StoredAlert
from shared.domain.alerts.hook_settings import HookSettings
from shared.domain.orders.order import Side
from shared.ledger.jobs.orders import EnterManually
from tests.fixtures.alert_steps import ENTRIES, hold, last_signal, result_of, run_next, run_until
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from workers.wiring import open_runner

EXITS = "SELECT side, quantity, state FROM orders WHERE role = 'EXIT' ORDER BY created_at"
WAITS_FOR_A_LOCK = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
BUYING = (
    "INSERT INTO orders (id, account_id, contract_id, origin, role, side, type, quantity, state, correlation_id)"
    f" VALUES (gen_random_uuid(), 20001, '{MNQ}', 'manual', 'ENTRY', 'BUY', 'MARKET', 1, 'WORKING', gen_random_uuid())"
)
CLOSING_JOBS = "SELECT 1 FROM job WHERE name = 'alerts.close_reversed' AND state IN ('queued', 'running')"


def send_alert(worker_env: WorkerEnv, quantity: int, *, has_stop: bool) -> UUID:
    return worker_env.entry_alert(action="sell", quantity=quantity, has_stop=has_stop)


def type_entry(worker_env: WorkerEnv, quantity: int, *, has_stop: bool) -> UUID:
    request = EnterManually(account_id=20001, symbol="MNQ", side=Side.SELL, quantity=quantity)
    return worker_env.enqueue(replace(request, stop_loss_ticks=400) if has_stop else request)


@pytest.mark.parametrize("enter", [send_alert, type_entry])
@pytest.mark.parametrize(("quantity", "has_stop"), [(1, False), (2, True)], ids=["exit", "reversal"])
def test_a_market_entry_waits_for_the_fill_of_the_entry_before_it_which_it_closes(
    worker_env: WorkerEnv, enter: Callable[..., UUID], quantity: int, *, has_stop: bool
) -> None:
    run_next(worker_env, worker_env.entry_alert())
    job_id = enter(worker_env, quantity, has_stop=has_stop)
    run_next(worker_env, job_id)
    assert result_of(worker_env, job_id).startswith("queued")
    run_until(worker_env, 1 - quantity)

    assert [("SELL", 1, "FILLED")] == worker_env.rows(EXITS)
    opened = [("SELL", "MARKET", quantity - 1, "FILLED")] if quantity > 1 else []
    assert [("BUY", "MARKET", 1, "FILLED"), *opened] == worker_env.rows(ENTRIES)
    assert result_of(worker_env, job_id).startswith("succeeded")


def test_a_market_entry_does_not_wait_for_the_fill_of_an_entry_on_its_side(worker_env: WorkerEnv) -> None:
    run_next(worker_env, worker_env.entry_alert())
    second = worker_env.entry_alert()
    run_next(worker_env, second)

    assert result_of(worker_env, second).startswith("succeeded")


@pytest.mark.parametrize("enter", [send_alert, type_entry])
def test_an_entry_that_waits_for_the_account_sees_the_order_that_was_recorded_meanwhile(
    worker_env: WorkerEnv, enter: Callable[..., UUID]
) -> None:
    job_id = enter(worker_env, 2, has_stop=True)
    run_while_locked(worker_env, job_id, lambda holding: holding.execute(BUYING))

    assert "queued: " in result_of(worker_env, job_id)
    assert [("BUY", "MARKET", 1, "WORKING")] == worker_env.rows(ENTRIES)


def run_while_locked(worker_env: WorkerEnv, job_id: UUID, change: Callable[[psycopg.Connection[Any]], object]) -> None:
    """Run a job whose first lock of the account waits for a transaction that makes a change."""
    with psycopg.connect(worker_env.settings.database_url) as holding:
        holding.execute("SELECT 1 FROM account FOR UPDATE")

        def change_meanwhile() -> None:
            until(lambda: [] != worker_env.rows(WAITS_FOR_A_LOCK), 60, "an entry that waits")
            change(holding)
            holding.commit()

        changing = Thread(target=change_meanwhile)
        changing.start()
        run_next(worker_env, job_id)
        changing.join()


def test_an_entry_whose_other_job_closes_meanwhile_opens_only_what_that_leaves(worker_env: WorkerEnv) -> None:
    job_id = worker_env.entry_alert(action="sell", quantity=2)
    closed = (
        "INSERT INTO entry_reversal"
        " (request_id, account_id, contract_id, side, quantity_closing, quantity_opening, closes_all)"
        f" SELECT id, 20001, '{MNQ}', 'SELL', 2, 0, true FROM alert"
    )
    run_while_locked(worker_env, job_id, lambda holding: holding.execute(closed))
    assert "queued: " in result_of(worker_env, job_id)
    run_next(worker_env, job_id)

    assert f"2 of {MNQ} closed, and nothing to open" in last_signal(worker_env)[2]
    assert [] == worker_env.rows(ENTRIES)


def test_nothing_is_closed_for_an_alert_whose_entry_is_recorded_meanwhile(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.entry_alert(action="sell", quantity=1)
    ((closing,),) = worker_env.rows("SELECT id FROM job WHERE name = 'alerts.close_reversed' AND state = 'queued'")
    entered = (
        "INSERT INTO signal"
        " (id, origin, account_id, action, quantity, verdict, correlation_id, alert_id, decided_market_at)"
        " SELECT gen_random_uuid(), 'alert', 20001, 'SELL', 1, 'accepted', job_id, id, now() FROM alert"
        " ORDER BY id DESC LIMIT 1"
    )
    run_while_locked(worker_env, closing, lambda holding: holding.execute(entered))
    run_next(worker_env, closing)

    assert "has decided already" in result_of(worker_env, closing)
    assert [] == worker_env.rows("SELECT 1 FROM entry_reversal")


def test_what_is_closed_is_measured_once_the_account_is_locked(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    job_id = worker_env.entry_alert(action="sell", quantity=3)
    reduced = "UPDATE position SET quantity = 1"
    run_while_locked(worker_env, job_id, lambda holding: holding.execute(reduced))
    assert [] == worker_env.rows("SELECT 1 FROM entry_reversal")
    run_next(worker_env, job_id)

    assert [(1, 2)] == worker_env.rows("SELECT quantity_closing, quantity_opening FROM entry_reversal")
    assert 1 == len(worker_env.rows("SELECT 1 FROM job WHERE name = 'orders.reduce_position'"))


def test_a_manual_entry_that_waits_is_not_made_after_a_later_alert_has_closed_all(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    request = EnterManually(account_id=20001, symbol="MNQ", side=Side.BUY, quantity=1, stop_loss_ticks=400)
    waiting = worker_env.enqueue(request)
    worker_env.execute(f"UPDATE job SET run_at = now() + interval '1 hour' WHERE id = '{waiting}'")
    run_next(worker_env, worker_env.entry_alert(action="sell", quantity=1))
    worker_env.run_due_jobs()
    assert 0 == worker_env.venue.position()
    run_next(worker_env, waiting)

    assert f"an entry that reversed {MNQ} was requested after this one" in result_of(worker_env, waiting)
    assert ("BUY", "MARKET", 1, "DENIED") == worker_env.rows(ENTRIES)[-1]


def send_alert_to_close(worker_env: WorkerEnv, quantity: int, *, has_stop: bool) -> UUID:
    """Send an alert that sells; return the job that closes what it reverses."""
    send_alert(worker_env, quantity, has_stop=has_stop)
    ((closing,),) = worker_env.rows("SELECT id FROM job WHERE name = 'alerts.close_reversed' AND state = 'queued'")
    found: UUID = closing
    return found


@pytest.mark.parametrize("enter", [send_alert_to_close, type_entry])
def test_an_entry_that_is_recorded_while_the_account_is_awaited_is_offset_once(
    worker_env: WorkerEnv, enter: Callable[..., UUID]
) -> None:
    """It was requested before the one that closes all, and its order is newer than that."""
    hold(worker_env, 1)
    request = EnterManually(account_id=20001, symbol="MNQ", side=Side.BUY, quantity=1, stop_loss_ticks=400)
    waiting = worker_env.enqueue(request)
    worker_env.execute(f"UPDATE job SET run_at = now() + interval '1 hour' WHERE id = '{waiting}'")
    closing = enter(worker_env, 3, has_stop=True)

    def record_entry(holding: psycopg.Connection[Any]) -> None:
        created = BUYING.replace("'WORKING'", "'CREATED'")
        holding.execute(created.replace("1, 'CREATED', gen_random_uuid()", f"1, 'CREATED', '{waiting}'"))
        holding.execute("UPDATE job SET state = 'succeeded', finished_at = now() WHERE id = %s", (waiting,))

    run_while_locked(worker_env, closing, record_entry)

    assert [(1, 1)] == worker_env.rows("SELECT quantity_closing, quantity_opening FROM entry_reversal")
    assert ("BUY", "MARKET", 1, "CANCELLED") in worker_env.rows(ENTRIES)


def test_an_entry_whose_other_job_closes_before_it_reads_the_position_opens_the_rest(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not denied because the account is flat by then and the chart was long."""
    hold(worker_env, 2)
    hook_id = worker_env.add_hook(HookSettings(is_agreement_required=True))
    job_id = worker_env.entry_alert(hook_id, action="sell", quantity=3, prev_market_position="long")
    worker_env.execute(f"UPDATE job SET run_at = now() + interval '1 hour' WHERE id = '{job_id}'")
    read = alerts.read_alert

    def read_then_close(*of: Any) -> StoredAlert | None:
        stored = read(*of)
        monkeypatch.setattr(alerts, "read_alert", read)
        with open_runner(worker_env.settings, process("test/2"), program="test") as other:
            while worker_env.venue.position() or worker_env.rows(CLOSING_JOBS):
                for (one,) in worker_env.rows("SELECT id FROM job WHERE state = 'queued' AND run_at <= now()"):
                    other.run(one)
        return stored

    monkeypatch.setattr(alerts, "read_alert", read_then_close)
    run_next(worker_env, job_id)
    assert "is being closed for this alert" in result_of(worker_env, job_id)
    run_until(worker_env, -1)
