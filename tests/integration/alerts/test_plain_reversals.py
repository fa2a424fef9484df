"""A market entry against the position: what it reverses is closed first and always, then the rest is opened."""

from decimal import Decimal
from typing import Any

import pytest

from shared.db.alerts import hooks
from shared.domain.alerts.hook_settings import HookSettings, SizeMode
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.orders.order import Side
from shared.ledger.jobs.orders import EnterManually
from tests.fixtures.alert_steps import ENTRIES, hold, last_signal, result_of, run_next, run_until, stop_quantities
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

IN_AN_HOUR = "UPDATE job SET run_at = now() + interval '1 hour' WHERE id = '{}'"
HALT = "UPDATE account SET halted_at = now(), halt_reason = 'a test'"
ONE_TRADE = """UPDATE account SET rule_changes = '{"max_trades_per_day": "1"}'"""
EXITS = "SELECT side, quantity, state FROM orders WHERE role = 'EXIT' ORDER BY created_at"
ANOTHER_ACCOUNT = "(jsonb_populate_record(p, jsonb_build_object('account_id', p.account_id + 1000)))"


@pytest.mark.parametrize(("held", "action", "quantity", "left"), [(1, "sell", 2, -1), (-2, "buy", 5, 3)])
def test_a_market_entry_against_the_position_closes_it_and_opens_the_rest(
    worker_env: WorkerEnv, held: int, action: str, quantity: int, left: int
) -> None:
    hold(worker_env, held)
    worker_env.entry_alert(action=action, quantity=quantity)
    run_until(worker_env, left)

    exit_side, entry_side = action.upper(), action.upper()
    assert [(exit_side, abs(held), "FILLED")] == worker_env.rows(EXITS)
    assert (entry_side, "MARKET", abs(left), "FILLED") == worker_env.rows(ENTRIES)[-1]
    assert [(abs(left),)] == stop_quantities(worker_env)


@pytest.mark.parametrize("obstacle", [HALT, ONE_TRADE, "SELECT 1"], ids=["halt", "rule", "none"])
@pytest.mark.parametrize("quantity", [1, 2])
def test_an_entry_that_only_reduces_is_an_exit_which_nothing_denies(
    worker_env: WorkerEnv, operator: RunCommand, obstacle: str, quantity: int
) -> None:
    hold(worker_env, 2)
    worker_env.execute(obstacle)
    body = f'{{"action": "sell", "symbol": "MNQ", "quantity": {quantity}}}'
    assert f"closes {'1 of ' if quantity == 1 else ''}{shorten_contract(MNQ)}" in operator("alerts", "mock", body).words
    job_id = worker_env.entry_alert(action="sell", quantity=quantity, has_stop=False)
    run_until(worker_env, 2 - quantity)

    closed = f"{quantity} of {MNQ} closed, and nothing to open"
    assert ("CLOSE", "accepted", closed) == last_signal(worker_env)
    assert result_of(worker_env, job_id).startswith("succeeded")
    assert [("SELL", quantity, "FILLED")] == worker_env.rows(EXITS)
    assert 1 == len(worker_env.rows(ENTRIES))


def test_a_reversal_at_the_most_contracts_of_an_order_closes_and_opens_them(worker_env: WorkerEnv) -> None:
    hold(worker_env, 5)
    worker_env.entry_alert(action="sell", quantity=10)
    run_until(worker_env, -5)


@pytest.mark.parametrize(
    ("obstacle", "told"),
    [(HALT, "is halted: a test"), (ONE_TRADE, "trades a day")],
)
def test_the_closing_part_passes_where_the_opening_part_is_denied(
    worker_env: WorkerEnv, obstacle: str, told: str
) -> None:
    hold(worker_env, 1)
    worker_env.execute(obstacle)
    job_id = worker_env.entry_alert(action="sell", quantity=2)
    run_until(worker_env, 0)

    assert told in result_of(worker_env, job_id)
    assert "denied" == last_signal(worker_env)[1]


@pytest.mark.parametrize("is_halted", [False, True])
def test_an_entry_sized_by_risk_closes_what_it_reverses_too(
    worker_env: WorkerEnv, operator: RunCommand, *, is_halted: bool
) -> None:
    """At 400 ticks 450 dollars are two contracts."""
    hold(worker_env, 1)
    hook_id = worker_env.add_hook(HookSettings(size=SizeMode.RISK, size_value=Decimal(450)))
    if is_halted:
        worker_env.execute("UPDATE account SET halted_at = now(), halt_reason = 'a test'")
    worker_env.execute(f"UPDATE hook SET name = 'risky' WHERE id = '{hook_id}'")
    body = '{"action": "sell", "symbol": "MNQ", "quantity": 1, "stop_loss_ticks": 400}'
    (told,) = operator("alerts", "mock", "--hook", "risky", "--json", body).json["accounts"]
    assert f"closes {MNQ}, then {'the entry is denied' if is_halted else 'SELL 1'}" in told["detail"]
    worker_env.entry_alert(hook_id, action="sell")
    run_until(worker_env, 0 if is_halted else -1)

    assert [("SELL", 1, "FILLED")] == worker_env.rows(EXITS)


def test_the_setting_of_a_hook_denies_the_opening_part_alone(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    hook_id = worker_env.add_hook()
    worker_env.execute(f"""UPDATE hook SET settings = '{{"cooldown_s": 3600}}' WHERE id = '{hook_id}'""")
    worker_env.entry_alert(hook_id, quantity=1)
    run_until(worker_env, 2)
    job_id = worker_env.entry_alert(hook_id, action="sell", quantity=3)
    run_until(worker_env, 0)

    assert "enters once in 3600 s" in result_of(worker_env, job_id)


def test_a_reversal_leaves_the_entries_that_rest(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.entry_alert(order_type="limit", limit_price=str(far_below(worker_env)))
    worker_env.run_due_jobs()
    worker_env.entry_alert(action="sell", quantity=2)
    run_until(worker_env, -1)

    assert [("WORKING",)] == worker_env.rows("SELECT state FROM orders WHERE type = 'LIMIT' AND role = 'ENTRY'")


def far_below(worker_env: WorkerEnv) -> Any:  # a price of the venue
    (price,) = worker_env.rows("SELECT average_fill_price FROM orders WHERE role = 'ENTRY'")[0]
    return price - 300


def test_what_is_left_to_open_is_decided_once(worker_env: WorkerEnv) -> None:
    """The job runs many times until the close has filled, and after a crash between the two once more."""
    hold(worker_env, 1)
    job_id = worker_env.entry_alert(action="sell", quantity=3)
    for _ in range(3):
        run_next(worker_env, job_id)
        worker_env.execute(f"UPDATE job SET run_at = now() WHERE id = '{job_id}' AND state = 'queued'")
    run_until(worker_env, -2)

    assert [(2,)] == worker_env.rows("SELECT quantity_opening FROM entry_reversal")
    assert 1 == len(worker_env.rows("SELECT 1 FROM job WHERE name = 'orders.reduce_position'"))


def test_a_close_that_comes_between_drops_the_opening_part(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    job_id = worker_env.entry_alert(action="sell", quantity=2)
    run_next(worker_env, job_id)
    worker_env.critical_alert()
    run_until(worker_env, 0)

    assert "closed by a later request" in result_of(worker_env, job_id)


def test_nothing_is_opened_against_a_position_whose_close_was_rejected(worker_env: WorkerEnv) -> None:
    """It is closed again; the first close alone has ended in nothing."""
    hold(worker_env, 2)
    worker_env.venue.faults(path="/api/Order/place", kind="reject", error_code=2, message="no")
    job_id = worker_env.entry_alert(action="sell", quantity=3)
    run_until(worker_env, -1)

    assert ["REJECTED", "FILLED"] == [state for _, _, state in worker_env.rows(EXITS)]
    assert result_of(worker_env, job_id).startswith("succeeded")


def test_what_was_bought_after_the_close_is_neither_closed_nor_opened_against(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    job_id = worker_env.entry_alert(action="sell", quantity=3)
    run_next(worker_env, job_id)
    worker_env.execute(IN_AN_HOUR.format(job_id))
    worker_env.run_due_jobs()
    assert 0 == worker_env.venue.position()
    worker_env.run(EnterManually(account_id=20001, symbol="MNQ", side=Side.BUY, quantity=1, stop_loss_ticks=400))
    run_next(worker_env, job_id)

    assert "is held against it again" in result_of(worker_env, job_id)
    assert 1 == worker_env.venue.position()


def test_a_hook_that_asks_for_agreement_closes_nothing_that_the_chart_did_not_hold(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    hook_id = worker_env.add_hook()
    worker_env.execute(f"""UPDATE hook SET settings = '{{"is_agreement_required": true}}' WHERE id = '{hook_id}'""")
    job_id = worker_env.entry_alert(hook_id, action="sell", quantity=3, prev_market_position="flat")
    run_until(worker_env, 2)

    assert "chart and account disagree" in result_of(worker_env, job_id)


def test_copies_of_a_reversal_are_entered_once_every_account_has_closed(worker_env: WorkerEnv) -> None:
    """Before that each would be denied for the side of the other."""
    hold(worker_env, 1)
    hook_id = worker_env.add_hook()
    worker_env.execute(
        "INSERT INTO account SELECT (jsonb_populate_record(a, jsonb_build_object("
        "'id', a.id + 1000, 'name', 'PRAC-V2-2'))).* FROM account a"
    )
    with worker_env.ledger.engine.begin() as connection:
        hooks.set_followers(connection, hook_id, {worker_env.venue.account_id + 1000: Decimal(1)})
    worker_env.execute(f"INSERT INTO position SELECT {ANOTHER_ACCOUNT}.* FROM position p")
    job_id = worker_env.entry_alert(hook_id, action="sell", quantity=2)
    worker_env.execute(
        "UPDATE job SET run_at = now() + interval '1 hour' WHERE name LIKE 'alerts.%' AND arguments ->> 'account_id' ="
        f" '{worker_env.venue.account_id + 1000}'"
    )
    while worker_env.venue.position() != 0 or "still closes" not in result_of(worker_env, job_id):
        worker_env.execute(IN_AN_HOUR.format(job_id))
        worker_env.run_due_jobs()
        run_next(worker_env, job_id)
    worker_env.execute(f"DELETE FROM position WHERE account_id <> {worker_env.venue.account_id}")
    run_next(worker_env, job_id)
    worker_env.run_due_jobs()

    assert -1 == worker_env.venue.position()
    assert result_of(worker_env, job_id).startswith("succeeded")
