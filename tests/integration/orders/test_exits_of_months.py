"""Exits by a symbol of which no month is active, or two are held: each closes all that the symbol means."""

from collections.abc import Callable

import pytest

from shared.ledger.jobs.orders import ReconcileAccounts
from tests.fixtures.alert_steps import OTHER_MONTH, hold, result_of, run_until, trade_by_hand, trade_every_month
from tests.fixtures.operator import RunCommand, worker_at
from tests.fixtures.venue import MNQ, RunningVenue, StartVenue
from tests.fixtures.worker_env import WorkerEnv

COMMANDS = [("flatten", "--contract", "MNQ", "--yes"), ("positions", "close", "MNQ")]


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    """A venue that trades every month."""
    return start_venue(change=trade_every_month)


def hold_two_months(worker_env: WorkerEnv, quantity: int = 1) -> None:
    hold(worker_env, quantity)
    trade_by_hand(worker_env, 1, OTHER_MONTH)
    worker_env.run(ReconcileAccounts())
    assert {(MNQ,), (OTHER_MONTH,)} == set(worker_env.rows("SELECT contract_id FROM position WHERE quantity > 0"))


def list_held(worker_env: WorkerEnv) -> tuple[int, int]:
    return worker_env.venue.position(MNQ), worker_env.venue.position(OTHER_MONTH)


@pytest.mark.parametrize("buys", [hold, trade_by_hand], ids=["known", "only at the venue"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_closes_without_an_active_month_what_our_rows_show_and_what_they_do_not(
    operator: RunCommand, worker_env: WorkerEnv, command: tuple[str, ...], buys: Callable[[WorkerEnv, int], None]
) -> None:
    buys(worker_env, 1)
    worker_env.execute("UPDATE contract SET is_active = false")
    with worker_at(worker_env):
        result = operator(*command)

    assert (0, 0) == (result.status, worker_env.venue.position(MNQ)), result


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_closes_every_held_month_of_its_symbol(
    operator: RunCommand, worker_env: WorkerEnv, command: tuple[str, ...]
) -> None:
    hold_two_months(worker_env)
    with worker_at(worker_env):
        result = operator(*command)

    assert (0, (0, 0)) == (result.status, list_held(worker_env)), result


def test_a_part_that_exceeds_the_active_month_is_closed_in_the_next_too(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    hold_two_months(worker_env, 2)
    with worker_at(worker_env):
        one = operator("positions", "close", "MNQ", "1")
        assert "Closed 1 of MNQ H26 (SELL); still held: 1.\n" == one.out, one
        result = operator("positions", "close", "MNQ", "2", "--json")

    assert [(MNQ, 1, 0), (OTHER_MONTH, 1, 0)] == [
        (row["contract_id"], row["quantity"], row["held_now"]) for row in result.json["closed"]
    ]
    assert (0, 0) == list_held(worker_env)


def test_a_symbol_with_a_month_closes_only_that_month(operator: RunCommand, worker_env: WorkerEnv) -> None:
    hold_two_months(worker_env)
    with worker_at(worker_env):
        result = operator("positions", "close", "MNQM6")

    assert (0, (1, 0)) == (result.status, list_held(worker_env)), result


def test_orders_of_a_symbol_are_cancelled_without_an_active_month(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(limit_price=20000)
    worker_env.run_due_jobs()
    worker_env.execute("UPDATE contract SET is_active = false")
    with worker_at(worker_env):
        result = operator("orders", "cancel", "--all", "--contract", "MNQ", "--yes")

    assert 0 == result.status, result
    assert [("CANCELLED",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'ENTRY'")


def test_an_alert_closes_without_an_active_month(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.execute("UPDATE contract SET is_active = false")
    job_id = worker_env.critical_alert()
    run_until(worker_env, 0)

    assert result_of(worker_env, job_id).startswith("succeeded")


def test_an_alert_closes_every_held_month_of_its_symbol_without_an_active_one(worker_env: WorkerEnv) -> None:
    hold_two_months(worker_env)
    worker_env.execute("UPDATE contract SET is_active = false")
    worker_env.critical_alert()
    run_until(worker_env, 0)

    assert (0, 0) == list_held(worker_env)
