"""Exits that close a part of a position: never more than is held, and never sent twice."""

from datetime import timedelta
from uuid import UUID

import pytest

from shared.clock import machine_now
from shared.db.engine import driver
from shared.db.orders.orders import OrderRow
from shared.domain.orders.order import Direction
from shared.errors import HaltError
from shared.ledger import recovery
from shared.ledger.jobs.orders import ReconcileAccounts, ReducePosition
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from workers.context import Context
from workers.orders.submit import SubmitResult, submit_order

PLACE = "/api/Order/place"


def test_an_exit_closes_a_part_of_a_position_and_never_more_than_is_held(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=3)
    worker_env.run_due_jobs()
    account_id = worker_env.venue.account_id
    worker_env.run(ReducePosition(account_id=account_id, contract_id=MNQ, quantity=2))
    assert 1 == worker_env.venue.position(MNQ)
    worker_env.run(ReducePosition(account_id=account_id, contract_id=MNQ, quantity=5))
    assert 0 == worker_env.venue.position(MNQ)

    status, _, error = worker_env.run(ReducePosition(account_id=account_id, contract_id=MNQ, quantity=1))
    assert ("failed", True) == (status, "holds nothing of" in (error or ""))


@pytest.mark.parametrize("direction", [Direction.LONG, Direction.SHORT], ids=["same side", "other side"])
def test_a_partial_exit_that_is_late_takes_nothing_of_a_later_position(
    worker_env: WorkerEnv, direction: Direction
) -> None:
    """It may wait long: for another exit, or for the venue. What is held then may be a person's."""
    account_id = worker_env.venue.account_id
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    an_hour_ago = machine_now() - timedelta(hours=1)
    late = ReducePosition(
        account_id=account_id, contract_id=MNQ, quantity=1, direction=direction, requested_at=an_hour_ago
    )
    state, result, _ = worker_env.run(late)

    assert ("succeeded", 2) == (state, worker_env.venue.position(MNQ))
    assert ("opened after" if direction is Direction.LONG else "is LONG by now") in result["nothing_to_do"]


@pytest.mark.parametrize("is_closed_meanwhile", [False, True])
def test_an_exit_that_the_venue_never_received_is_made_after_the_position_is_read(
    worker_env: WorkerEnv, *, is_closed_meanwhile: bool
) -> None:
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    worker_env.venue.faults(path=PLACE, kind="lose_before")
    worker_env.runner.run(
        worker_env.enqueue(ReducePosition(account_id=worker_env.venue.account_id, contract_id=MNQ, quantity=1))
    )
    worker_env.execute("UPDATE orders SET submitted_at = submitted_at - interval '16 seconds' WHERE role = 'EXIT'")
    if is_closed_meanwhile:
        worker_env.venue.close_position()
    worker_env.run_due_jobs()

    exits = worker_env.rows("SELECT state FROM orders WHERE role = 'EXIT' ORDER BY id")
    assert ([("EXPIRED",)] if is_closed_meanwhile else [("EXPIRED",), ("FILLED",)]) == exits
    assert (0 if is_closed_meanwhile else 1) == worker_env.venue.position(MNQ)


def test_an_exit_that_a_reconcile_asks_for_again_counts_as_the_close_of_its_alert(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=3)
    worker_env.run_due_jobs()
    worker_env.venue.faults(path=PLACE, kind="lose_before", count=1)
    worker_env.entry_alert(action="sell", quantity=1)
    run_until_in_doubt(worker_env)
    ended = "state = 'failed', error = 'a proxy', lease_until = NULL, finished_at = now()"
    worker_env.execute(f"UPDATE job SET {ended} WHERE name = 'orders.resolve_in_doubt_order'")
    worker_env.execute("UPDATE orders SET submitted_at = submitted_at - interval '40 seconds' WHERE role = 'EXIT'")
    worker_env.run(ReconcileAccounts())
    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    worker_env.run_due_jobs()

    assert [("EXPIRED",), ("FILLED",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'EXIT' ORDER BY id")
    assert [(1,)] == worker_env.rows("SELECT count(DISTINCT correlation_id)::int FROM orders WHERE role = 'EXIT'")
    assert 2 == worker_env.venue.position(MNQ)


def test_a_read_that_a_proxy_refuses_ends_no_search_for_an_exit_in_doubt(worker_env: WorkerEnv) -> None:
    job_id = hold_and_reduce(worker_env)
    worker_env.venue.faults(path=PLACE, kind="lose_before", count=1)
    worker_env.runner.run(job_id)
    run_until_in_doubt(worker_env)
    worker_env.venue.faults(path="/api/Position/searchOpen", kind="status", status=403, count=1)
    ((resolution,),) = worker_env.rows("SELECT id FROM job WHERE name = 'orders.resolve_in_doubt_order'")
    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    worker_env.runner.run(resolution)

    state, _, error = worker_env.job(resolution)
    assert ("queued", True) == (state, "the venue could not be read" in (error or ""))


def test_an_exit_that_finds_no_login_blocks_no_later_exit(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker_env.entry_alert(quantity=3)
    worker_env.run_due_jobs()
    reduction = ReducePosition(account_id=worker_env.venue.account_id, contract_id=MNQ, quantity=1)

    def refuse(*_: object) -> None:
        raise HaltError("the venue refuses the API key")

    with monkeypatch.context() as patch:
        patch.setattr("workers.orders.place_order.submit_order", refuse)
        worker_env.runner.run(worker_env.enqueue(reduction))
    assert [("CANCELLED",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'EXIT'")
    worker_env.run(reduction)

    assert 1 == worker_env.venue.position(MNQ)


def test_an_exit_whose_sender_was_lost_is_found_by_a_reconcile_and_measured_again(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = hold_and_reduce(worker_env)
    with monkeypatch.context() as patch:
        patch.setattr("workers.orders.place_order.submit_order", _lose)
        worker_env.runner.run(job_id)
    ended = "state = 'dead', error = 'lost', lease_until = NULL, finished_at = now()"
    worker_env.execute(f"UPDATE job SET {ended} WHERE name = 'orders.place_order' AND state <> 'succeeded'")
    with monkeypatch.context() as patch:
        patch.setattr("workers.orders.reconcile_account.SUBMITTING_AT_MOST", timedelta(0))
        patch.setattr("workers.orders.reconcile_account.CLOCK_SKEW", timedelta(0))
        worker_env.runner.run(worker_env.enqueue(ReconcileAccounts()))
        reconcile = "SELECT id FROM job WHERE name = 'orders.reconcile_account' ORDER BY id DESC LIMIT 1"
        worker_env.runner.run(worker_env.rows(reconcile)[0][0])
        (place,) = worker_env.rows("SELECT id, queue FROM job WHERE name = 'orders.place_order' AND state = 'queued'")
        worker_env.runner.run(place[0])
    assert "critical" == place[1]
    worker_env.run_due_jobs()

    assert ["CANCELLED", "FILLED"] == [
        row[0] for row in worker_env.rows("SELECT state FROM orders WHERE role = 'EXIT' ORDER BY id")
    ]
    assert 1 == worker_env.venue.position(MNQ)


def test_an_exit_down_to_a_position_that_a_reconcile_makes_anew_still_leaves_that_position(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile a contract was closed elsewhere: by its quantity the exit would close too much."""
    worker_env.entry_alert(quantity=3)
    worker_env.run_due_jobs()
    account_id = worker_env.venue.account_id
    job_id = worker_env.enqueue(ReducePosition(account_id=account_id, contract_id=MNQ, target_position=1))
    with monkeypatch.context() as patch:
        patch.setattr("workers.orders.place_order.submit_order", _lose)
        worker_env.runner.run(job_id)
    ended = "state = 'dead', error = 'lost', lease_until = NULL, finished_at = now()"
    worker_env.execute(f"UPDATE job SET {ended} WHERE name = 'orders.place_order' AND state <> 'succeeded'")
    worker_env.venue.close_position(size=1)
    monkeypatch.setattr("workers.orders.reconcile_account.SUBMITTING_AT_MOST", timedelta(0))
    monkeypatch.setattr("workers.orders.reconcile_account.CLOCK_SKEW", timedelta(0))
    worker_env.enqueue(ReconcileAccounts())
    worker_env.run_due_jobs()

    assert 1 == worker_env.venue.position(MNQ)


def test_an_exit_of_a_worker_that_a_shutdown_killed_is_measured_again(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its attempt is given back, so the next run is the first again; by then the position was closed elsewhere."""
    job_id = hold_and_reduce(worker_env)

    def die(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("workers.orders.place_order.submit_order", die)
        with pytest.raises(SystemExit):
            worker_env.runner.run(job_id)
    running = "SELECT worker_id FROM job WHERE name = 'orders.place_order' AND state = 'running'"
    ((worker_id,),) = worker_env.rows(running)
    with worker_env.ledger.engine.begin() as connection:
        assert 1 == recovery.release_on_shutdown(driver(connection), worker_id)
    close_elsewhere_and_go_on(worker_env)


def test_an_exit_that_a_lock_has_delayed_is_measured_again(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wait for a lock costs no attempt, so the next run is the first again."""
    job_id = hold_and_reduce(worker_env)
    with worker_env.ledger.engine.connect() as other, monkeypatch.context() as patch:

        def submit_locked(ctx: Context, order: OrderRow) -> SubmitResult:
            other.exec_driver_sql(f"SELECT 1 FROM orders WHERE id = '{order.id}' FOR UPDATE")
            return submit_order(ctx, order)

        patch.setattr("workers.orders.place_order.submit_order", submit_locked)
        worker_env.runner.run(job_id)
        other.rollback()
    close_elsewhere_and_go_on(worker_env)


def test_an_exit_whose_position_was_read_too_long_ago_is_measured_again(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login or a lock took long in between, or the computer slept."""
    job_id = hold_and_reduce(worker_env)
    with monkeypatch.context() as patch:
        patch.setattr("workers.orders.exit_retry._FRESH_FOR", timedelta(0))
        worker_env.runner.run(job_id)
    close_elsewhere_and_go_on(worker_env)


def hold_and_reduce(worker_env: WorkerEnv) -> UUID:
    """Hold two contracts and request the exit of one; return the job."""
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    return worker_env.enqueue(ReducePosition(account_id=worker_env.venue.account_id, contract_id=MNQ, quantity=1))


def run_until_in_doubt(worker_env: WorkerEnv) -> None:
    """Run due jobs, one by one, until an exit is in doubt."""
    while not worker_env.rows("SELECT 1 FROM orders WHERE role = 'EXIT' AND state = 'IN_DOUBT'"):
        found = worker_env.next_job()
        assert found is not None
        worker_env.write_quote()
        worker_env.runner.run(found[0])


def close_elsewhere_and_go_on(worker_env: WorkerEnv) -> None:
    """Close the position in the firm's own screen, run what is due, and expect that no exit was sent."""
    worker_env.venue.close_position()
    worker_env.run_due_jobs()
    assert [("CANCELLED",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'EXIT'")
    assert 0 == worker_env.venue.position(MNQ)


def _lose(*_: object) -> None:
    raise RuntimeError("a test")


def test_an_exit_is_sent_as_a_critical_job(worker_env: WorkerEnv) -> None:
    """Its requests are then counted in the reserve that no entry may use."""
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    worker_env.run(ReducePosition(account_id=worker_env.venue.account_id, contract_id=MNQ, quantity=1))

    placed = worker_env.rows("SELECT queue FROM job WHERE name = 'orders.place_order' ORDER BY id DESC LIMIT 1")
    assert [("critical",)] == placed


@pytest.mark.parametrize("quantity", [1, -1], ids=["long", "short"])
def test_an_exit_to_nothing_closes_all(worker_env: WorkerEnv, quantity: int) -> None:
    worker_env.entry_alert(action="buy" if quantity > 0 else "sell", quantity=2)
    worker_env.run_due_jobs()
    worker_env.run(ReducePosition(account_id=worker_env.venue.account_id, contract_id=MNQ, target_position=0))

    assert 0 == worker_env.venue.position(MNQ)


@pytest.mark.parametrize("quantity", [0, -1])
def test_an_exit_without_a_size_is_refused(quantity: int) -> None:
    with pytest.raises(ValueError, match=f"quantity is {quantity}: give 1 or more contracts"):
        ReducePosition(account_id=1, contract_id=MNQ, quantity=quantity)


def test_an_unsent_exit_is_placed_again_only_after_the_position_is_read(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    worker_env.venue.faults(path=PLACE, kind="status", status=401)
    worker_env.runner.run(
        worker_env.enqueue(ReducePosition(account_id=worker_env.venue.account_id, contract_id=MNQ, quantity=1))
    )
    assert [("CANCELLED",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'EXIT'")
    worker_env.venue.close_position()
    worker_env.run_due_jobs()

    assert 0 == worker_env.venue.position(MNQ)
    (error,) = [row[0] for row in worker_env.rows("SELECT error FROM job WHERE state = 'failed'")]
    assert "holds nothing of" in error


def test_an_unsent_exit_is_sent_once_the_venue_accepts_it(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    worker_env.venue.faults(path=PLACE, kind="status", status=401)
    worker_env.run(ReducePosition(account_id=worker_env.venue.account_id, contract_id=MNQ, quantity=1))

    assert ["CANCELLED", "FILLED"] == [
        row[0] for row in worker_env.rows("SELECT state FROM orders WHERE role = 'EXIT' ORDER BY id")
    ]
    assert 1 == worker_env.venue.position(MNQ)
