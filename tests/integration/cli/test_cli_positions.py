"""`tickwork positions`: list, close, breakeven and trail, with a worker."""

from decimal import Decimal

import pytest

from shared.ledger.jobs.orders import ReconcileAccounts
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.orders_command import CLOSE, MODIFY, newest_close


@pytest.fixture
def long(operator: RunCommand, worker_env: WorkerEnv, worker: None) -> Decimal:  # noqa: ARG001  # it runs the jobs
    """A long position of two; return its average price."""
    assert 0 == operator("orders", "market", "MNQ", "buy", "2", "--stop", "400").status
    average: Decimal = worker_env.rows("SELECT average_price FROM position")[0][0]
    return average


@pytest.mark.usefixtures("long")
def test_positions_show_open_profit_stop_and_protection(operator: RunCommand) -> None:
    (row,) = operator("positions", "--json").json["positions"]

    assert (MNQ, "LONG", 2, "the bracket's stop") == tuple(
        row[name] for name in ("contract", "direction", "quantity", "guarded_by")
    )
    gain = (Decimal(row["price"]) - Decimal(row["average"])) * 2 * 2
    assert gain == Decimal(row["open_profit"])
    assert [2] == [stop["quantity"] for stop in row["stops"]]
    assert "2 at " in operator("positions", "-o", "wide").out
    assert "LONG" in operator("positions").out


def test_a_stop_that_was_placed_elsewhere_is_shown_and_not_moved(operator: RunCommand, worker_env: WorkerEnv) -> None:
    price = newest_close(worker_env) - 100
    worker_env.venue.trade()
    assert worker_env.venue.place(type=4, side=1, stopPrice=float(price))["success"]
    worker_env.run(ReconcileAccounts())

    (row,) = operator("positions", "--json").json["positions"]
    (stop,) = row["stops"]
    assert (1, Decimal(price), True, 1) == (
        stop["quantity"],
        Decimal(stop["stop_price"]),
        stop["is_external"],
        row["quantity"],
    )
    assert ", external" in operator("positions", "-o", "wide").out
    assert "the stop of MNQ H26 was placed elsewhere" in operator("positions", "trail", "MNQ", "40").error


@pytest.mark.usefixtures("long")
def test_the_answer_to_a_trail_names_the_contract_as_lists_do(operator: RunCommand) -> None:
    said = operator("positions", "trail", "MNQ", "900")

    assert (0, True) == (said.status, "MNQ H26: the stop follows by 900 ticks" in said.words)


@pytest.mark.usefixtures("long")
def test_a_part_and_then_the_rest_of_a_position_is_closed(operator: RunCommand, worker_env: WorkerEnv) -> None:
    dry = operator("positions", "close", "MNQ", "1", "--dry-run"), operator("positions", "close", "MNQ", "--dry-run")
    assert [0, 0] == [result.status for result in dry]
    assert "It would SELL 1 MNQ H26" in dry[0].out
    assert (2, []) == (worker_env.venue.position(MNQ), worker_env.venue.requests(CLOSE))
    part = operator("positions", "close", "MNQ", "1")
    assert (0, "Closed 1 of MNQ H26 (SELL); still held: 1.\n") == (part.status, part.out)
    result = operator("positions", "close", "MNQ")

    assert 0 == result.status, result
    assert "flat: no position, no working order" in result.out
    assert 0 == worker_env.venue.position(MNQ)
    result = operator("positions", "close", "MNQ", "1")
    assert (1, "") == (result.status, result.out)
    assert "invalid quantity '1'" in result.error
    assert "holds 0 of" in result.error


@pytest.mark.usefixtures("long")
def test_the_stop_moves_to_breakeven_unless_the_market_is_through_it(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    through, fine = newest_close(worker_env) + 50, newest_close(worker_env) - 50
    worker_env.execute(f"UPDATE position SET average_price = {through}")
    result = operator("positions", "breakeven", "MNQ")
    assert (1, "") == (result.status, result.out)
    assert "MNQ H26 could be closed at 2" in result.error  # a new bar may have moved the quote
    assert f"and the average price is {through}" in result.error
    assert [] == worker_env.venue.requests(MODIFY)
    worker_env.execute(f"UPDATE position SET average_price = {fine + Decimal('0.1')}")
    assert "nothing was sent" in operator("positions", "breakeven", "MNQ", "--dry-run").out
    assert [] == worker_env.venue.requests(MODIFY)
    result = operator("positions", "breakeven", "MNQ", "--json")

    assert (0, 1) == (result.status, len(result.json["modified"])), result
    assert [(fine,)] == worker_env.rows("SELECT stop_price FROM orders WHERE role = 'STOP_LOSS'")
    assert 1 == len(worker_env.venue.requests(MODIFY))
    assert (
        "The stop of MNQ H26 is at breakeven" in operator("positions", "breakeven", "MNQ").out
    )  # unchanged: no further request
    assert 1 == len(worker_env.venue.requests(MODIFY))


def test_a_trailing_distance_is_stored_on_the_entry_and_reported(
    operator: RunCommand, worker_env: WorkerEnv, long: Decimal
) -> None:
    result = operator("positions", "trail", "MNQ", "60")

    assert long
    assert (0, "") == (result.status, result.error)
    assert "the stop follows by 60 ticks from now on, never back" in result.out
    assert [(60,)] == worker_env.rows("SELECT trail_ticks FROM orders WHERE role = 'ENTRY'")
    operator("positions", "trail", "MNQ", "none")
    assert [(None,)] == worker_env.rows("SELECT trail_ticks FROM orders WHERE role = 'ENTRY'")
    assert "invalid distance 'x': expected ticks from 4 to 999999" in operator("positions", "trail", "MNQ", "x").error


@pytest.mark.parametrize("verb", [("breakeven", "MNQ"), ("trail", "MNQ", "40")], ids=" ".join)
def test_a_flat_account_has_no_stop_to_move(operator: RunCommand, verb: tuple[str, ...]) -> None:
    result = operator("positions", *verb)

    assert (1, "") == (result.status, result.out)
    assert "has no position in MNQ H26: `tickwork positions` lists the open positions" in result.error
