"""A manual market entry against the position: what it reverses is closed first and always, then the rest is opened."""

from threading import Thread
from typing import Any

import psycopg
import pytest

from shared.db.orders import reversals
from shared.db.orders.reversals import RecordedReversal
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.orders.order import OrderType, Side
from shared.ledger.jobs.orders import EnterManually
from tests.fixtures.alert_steps import (
    ENTRIES,
    STOP_OF_ONE_LONG,
    average,
    hold,
    last_signal,
    result_of,
    run_next,
    stop_quantities,
)
from tests.fixtures.operator import CommandResult, RunCommand, worker_at
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from workers.wiring import open_runner

EXITS = "SELECT origin, side, quantity, state FROM orders WHERE role = 'EXIT' ORDER BY created_at"
EXITS_FILLED = "SELECT 1 FROM orders WHERE role = 'EXIT' AND state = 'FILLED'"
IN_AN_HOUR = "UPDATE job SET run_at = now() + interval '1 hour' WHERE id = '{}'"
HALT = "UPDATE account SET halted_at = now(), halt_reason = 'lunch'"
ONE_TRADE = """UPDATE account SET rule_changes = '{"max_trades_per_day": "1"}'"""
WAITS_FOR_A_LOCK = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
REDUCE_ONLY = "UPDATE account SET halted_at = now(), halt_reason = 'lunch', is_reduce_only = true"


def type_sell(worker_env: WorkerEnv, operator: RunCommand, *words: str) -> CommandResult:
    with worker_at(worker_env), pytest.MonkeyPatch.context() as patched:
        patched.setenv("TICKWORK_ENTRY_TTL", "3600")
        return operator("orders", "market", "MNQ", "sell", *words, "--wait", "600")


def test_what_a_manual_entry_reverses_is_closed_and_the_rest_opened(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    hold(worker_env, 2)
    result = type_sell(worker_env, operator, "3", "--stop", "400")

    assert (0, True) == (result.status, "2 of MNQ H26 closed first" in result.words), result
    assert -1 == worker_env.venue.position()
    assert [("manual", "SELL", 2, "FILLED")] == worker_env.rows(EXITS)
    assert ("SELL", "MARKET", 1, "FILLED") == worker_env.rows(ENTRIES)[-1]
    assert [(1,)] == stop_quantities(worker_env)


@pytest.mark.parametrize(
    ("obstacle", "quantity", "told"),
    [(HALT, 3, "is halted: lunch"), (ONE_TRADE, 3, "trades a day"), ("SELECT 1", 8, "quantity 6 is not between")],
    ids=["halt", "rule", "size"],
)
def test_the_closing_part_of_a_manual_entry_passes_where_the_rest_is_denied(
    worker_env: WorkerEnv, operator: RunCommand, obstacle: str, quantity: int, told: str
) -> None:
    hold(worker_env, 2)
    worker_env.execute(obstacle)
    result = type_sell(worker_env, operator, str(quantity), "--stop", "400", "--yes")

    denied = f"2 of {shorten_contract(MNQ)} closed first, nothing is opened: "
    assert (1, True, True) == (result.status, denied in result.error, told in result.error), result
    assert 0 == worker_env.venue.position()
    assert ("SELL", "MARKET", quantity - 2, "DENIED") == worker_env.rows(ENTRIES)[-1]
    assert ("SELL", "denied") == last_signal(worker_env)[:2]


def test_a_manual_reversal_at_the_most_contracts_of_an_order_closes_and_opens_them(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    hold(worker_env, 5)

    assert 0 == type_sell(worker_env, operator, "10", "--stop", "100").status
    assert -5 == worker_env.venue.position()


@pytest.mark.parametrize("obstacle", [HALT, ONE_TRADE, "SELECT 1"], ids=["halt", "rule", "none"])
@pytest.mark.parametrize("quantity", [1, 2])
def test_a_manual_entry_that_only_reduces_is_an_exit_which_nothing_denies(
    worker_env: WorkerEnv, operator: RunCommand, obstacle: str, quantity: int
) -> None:
    hold(worker_env, 2)
    worker_env.execute(obstacle)
    preview = type_sell(worker_env, operator, str(quantity), "--dry-run")
    assert (0, True) == (preview.status, f"It closes {quantity}." in preview.words), preview
    result = type_sell(worker_env, operator, str(quantity), "--json")

    assert (0, "EXIT") == (result.status, result.json["order"]["role"]), result
    assert 2 - quantity == worker_env.venue.position()
    assert [("manual", "SELL", quantity, "FILLED")] == worker_env.rows(EXITS)
    assert 1 == len(worker_env.rows(ENTRIES))


@pytest.mark.parametrize("halt", [False, True])
def test_a_manual_entry_sized_by_risk_closes_what_it_reverses_too(
    worker_env: WorkerEnv, operator: RunCommand, *, halt: bool
) -> None:
    """At 400 ticks 450 dollars are two contracts."""
    hold(worker_env, 1)
    if halt:
        worker_env.execute(HALT)
    result = type_sell(worker_env, operator, "--risk", "450", "--stop", "400")

    assert int(halt) == result.status, result
    assert (0 if halt else -1) == worker_env.venue.position()
    assert [("manual", "SELL", 1, "FILLED")] == worker_env.rows(EXITS)


def test_a_manual_limit_entry_against_the_position_stays_one_order(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    price = average(worker_env) + 100
    worker_env.run(
        EnterManually(
            account_id=20001, symbol="MNQ", side=Side.SELL, type=OrderType.LIMIT, quantity=2, limit_price=str(price),
            stop_loss_ticks=400,
        )
    )  # fmt: skip

    assert 1 == worker_env.venue.position()
    assert ("SELL", "LIMIT", 2, "WORKING") == worker_env.rows(ENTRIES)[-1]


def test_a_manual_reversal_is_closed_again_when_its_exit_was_rejected_and_opened_once(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.venue.faults(path="/api/Order/place", kind="reject", error_code=2, message="no")
    job_id = worker_env.enqueue(
        EnterManually(account_id=20001, symbol="MNQ", side=Side.SELL, quantity=2, stop_loss_ticks=400)
    )
    for _ in range(3):
        run_next(worker_env, job_id)
    while worker_env.job(job_id)[0] == "queued":
        worker_env.run_due_jobs()

    assert ["REJECTED", "FILLED"] == [state for *_, state in worker_env.rows(EXITS)]
    assert [("SELL", "MARKET", 1, "FILLED")] == worker_env.rows(ENTRIES)[1:]
    assert -1 == worker_env.venue.position()


def test_a_manual_reversal_whose_close_fills_while_it_reads_the_position_opens_the_rest(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exit is made by another worker between its first look at the position and its look at the exits."""
    hold(worker_env, 1)
    job_id = worker_env.enqueue(
        EnterManually(account_id=20001, symbol="MNQ", side=Side.SELL, quantity=2, stop_loss_ticks=400)
    )
    run_next(worker_env, job_id)
    worker_env.execute(IN_AN_HOUR.format(job_id))
    find = reversals.find

    def close_then_find(*of: Any) -> RecordedReversal | None:
        monkeypatch.setattr(reversals, "find", find)
        with open_runner(worker_env.settings, process("test/2"), program="test") as other:
            while worker_env.venue.position() or not worker_env.rows(EXITS_FILLED):
                for (one,) in worker_env.rows("SELECT id FROM job WHERE state = 'queued' AND run_at <= now()"):
                    other.run(one)
        return find(*of)

    monkeypatch.setattr(reversals, "find", close_then_find)
    run_next(worker_env, job_id)
    worker_env.run_due_jobs()

    assert result_of(worker_env, job_id).startswith("succeeded")
    assert -1 == worker_env.venue.position()


@pytest.mark.parametrize(
    ("obstacle", "denied"),
    [("SELECT 1", None), (HALT, "is halted: lunch"), (REDUCE_ONLY, "reduce-only"), (ONE_TRADE, None)],
    ids=["none", "halt", "reduce-only", "rule"],
)
def test_a_dry_run_says_what_is_closed_first_and_closes_nothing(
    worker_env: WorkerEnv, operator: RunCommand, obstacle: str, denied: str | None
) -> None:
    hold(worker_env, 1)
    worker_env.execute(obstacle)
    found = type_sell(worker_env, operator, "2", "--stop", "400", "--dry-run", "--json")

    preview = found.json
    assert 1 == preview["closes_first"], preview
    assert denied is None or denied in preview["denied"], preview
    assert (denied is None) is (preview["would_send"] is not None), preview
    assert (1, []) == (worker_env.venue.position(), worker_env.rows(EXITS))
    text = type_sell(worker_env, operator, "2", "--stop", "400", "--dry-run").words
    assert "It closes 1 first" in text


def test_a_position_that_comes_while_an_entry_waits_for_the_account_is_not_reversed_in_one_order(
    worker_env: WorkerEnv,
) -> None:
    job_id = worker_env.entry_alert(action="sell", quantity=2)
    with psycopg.connect(worker_env.settings.database_url) as holding:
        holding.execute("SELECT 1 FROM account FOR UPDATE")

        def buy_meanwhile() -> None:
            until(lambda: [] != worker_env.rows(WAITS_FOR_A_LOCK), 60, "an entry that waits")
            holding.execute(
                "INSERT INTO position (account_id, contract_id, direction, quantity, baseline_quantity, average_price,"
                f" baseline_price) VALUES (20001, '{MNQ}', 'LONG', 1, 1, 20000, 20000)"
            )
            holding.execute(STOP_OF_ONE_LONG.format(MNQ))
            holding.commit()

        buying = Thread(target=buy_meanwhile)
        buying.start()
        worker_env.runner.run(job_id)
        buying.join()

    assert "has changed: it is closed first" in result_of(worker_env, job_id)
    assert [] == worker_env.rows(ENTRIES)
    run_next(worker_env, job_id)
    assert f"closing 1 of {MNQ} before the entry" in result_of(worker_env, job_id)
