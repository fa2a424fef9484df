"""Shadow mode: an entry goes through every check, is recorded as it would have been sent, and is never sent."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.db.alerts import alerts, precedence
from shared.db.orders import orders
from shared.domain.orders.order import OrderState, Side
from shared.ledger.jobs.orders import EnterManually, ReconcileAccounts
from tests.fixtures.alert_steps import hold, last_signal, result_of
from tests.fixtures.approvals import approve, ask, require_approval, type_entry
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from workers.venue_wiring import AccountSwitch
from workers.wiring import open_runner

PLACE = "/api/Order/place"
ENTRY = "SELECT state, reason, client_order_id, submitted_at, origin FROM orders WHERE role = 'ENTRY' ORDER BY id"
SHADOW = "shadow mode: it passed every check and would have been sent"


@pytest.fixture
def shadow_env(worker_env: WorkerEnv, operator: RunCommand) -> WorkerEnv:
    """A worker whose account is in shadow mode."""
    assert 0 == operator("accounts", "live", "20001", "shadow").status
    return worker_env


def states(worker_env: WorkerEnv) -> list[str]:
    return [row[0] for row in worker_env.rows(ENTRY)]


def test_an_entry_of_an_account_in_shadow_mode_is_checked_recorded_and_never_sent(shadow_env: WorkerEnv) -> None:
    job_id = shadow_env.entry_alert(quantity=2)
    shadow_env.run_due_jobs()

    assert [("SHADOW", SHADOW, None, None, "alert")] == shadow_env.rows(ENTRY)
    assert ("BUY", "accepted", SHADOW) == last_signal(shadow_env)
    assert result_of(shadow_env, job_id).startswith("succeeded")
    assert [] == shadow_env.venue.requests(PLACE)
    assert [] == shadow_env.rows("SELECT name FROM job WHERE state IN ('queued', 'running') AND queue <> 'background'")


def test_at_the_real_venue_shadow_mode_sends_nothing_either(shadow_env: WorkerEnv) -> None:
    """The simulator plays the real venue; its gateway would send nothing for the account, and is not asked."""
    job_id = shadow_env.entry_alert()
    real = replace(shadow_env.settings, venue=replace(shadow_env.settings.venue, is_simulator=False))
    with open_runner(real, process("real/1"), program="test") as runner:
        runner.run(job_id)

    assert ["SHADOW"] == states(shadow_env)
    assert [] == shadow_env.venue.requests(PLACE)
    assert not AccountSwitch(shadow_env.ledger.engine).may_send(20001, is_entry=True)


def test_an_entry_that_the_rules_deny_is_denied_in_shadow_mode_too(shadow_env: WorkerEnv, operator: RunCommand) -> None:
    shadow_env.entry_alert(quantity=6)
    shadow_env.run_due_jobs()
    operator("halt", "lunch")
    shadow_env.entry_alert()
    shadow_env.run_due_jobs()

    assert ["DENIED", "DENIED"] == states(shadow_env)
    assert "is halted: lunch" in last_signal(shadow_env)[2]


def test_shadow_orders_count_nowhere_and_nothing_touches_them(shadow_env: WorkerEnv, operator: RunCommand) -> None:
    operator("accounts", "rules", "20001", "max_trades_per_day=1", "max_orders_per_minute=1", "--yes")
    for _ in range(3):
        shadow_env.entry_alert()
    shadow_env.run_due_jobs()
    shadow_env.watch()
    assert "succeeded" == shadow_env.run(ReconcileAccounts())[0]
    (before,) = operator("risk", "--json").json["accounts"]

    assert ["SHADOW"] * 3 == states(shadow_env)
    used = {row["rule"]: float(row["used"] or 0) for row in before["rules"]}
    assert (0, 0, 0) == tuple(used[name] for name in ("max_trades_per_day", "max_orders_per_minute", "max_micros"))
    with shadow_env.ledger.engine.connect() as connection:
        assert [] == orders.list_open(connection, 20001)
    operator("accounts", "live", "20001", "off")
    shadow_env.entry_alert()
    shadow_env.run_due_jobs()
    assert ["SHADOW", "SHADOW", "SHADOW", "FILLED"] == states(shadow_env)


def test_a_shadow_entry_is_no_later_entry_that_keeps_a_reversed_position_open(shadow_env: WorkerEnv) -> None:
    first = shadow_env.entry_alert()
    shadow_env.entry_alert()
    shadow_env.run_due_jobs()
    ((alert_id,),) = shadow_env.rows("SELECT id FROM alert WHERE job_id = %s", first)

    with shadow_env.ledger.engine.connect() as connection:
        stored = alerts.read_alert(connection, alert_id)
        assert stored is not None
        assert set() == precedence.list_entered_later(connection, stored, 20001)


@pytest.mark.parametrize("target", [state for state in OrderState if state is not OrderState.SHADOW], ids=str)
def test_no_order_leaves_or_enters_the_state_shadow(target: OrderState) -> None:
    assert not OrderState.SHADOW.may_become(target)
    assert not target.may_become(OrderState.SHADOW)


def test_postgres_lets_no_order_leave_or_enter_the_state_shadow(shadow_env: WorkerEnv, operator: RunCommand) -> None:
    def move(source: str, target: str) -> None:
        with shadow_env.ledger.engine.begin() as connection:
            connection.execute(text(f"UPDATE orders SET state = '{target}' WHERE state = '{source}'"))

    shadow_env.entry_alert()
    shadow_env.run_due_jobs()
    with pytest.raises(DBAPIError, match="cannot go from SHADOW to WORKING"):
        move("SHADOW", "WORKING")
    operator("accounts", "live", "20001", "off")
    shadow_env.entry_alert()
    shadow_env.run_due_jobs()
    with pytest.raises(DBAPIError, match="cannot go from FILLED to SHADOW"):
        move("FILLED", "SHADOW")


def test_an_entry_recorded_before_shadow_mode_is_not_sent_in_it(worker_env: WorkerEnv, operator: RunCommand) -> None:
    job_id = worker_env.entry_alert()
    worker_env.venue.kill()
    worker_env.runner.run(job_id)
    worker_env.venue.start()
    assert ["CREATED"] == states(worker_env)
    operator("accounts", "live", "20001", "shadow")
    worker_env.run_due_jobs()

    assert [("DENIED", "the account is in shadow mode")] == [row[:2] for row in worker_env.rows(ENTRY)]
    assert [] == worker_env.venue.requests(PLACE)


def test_an_exit_passes_in_shadow_mode(worker_env: WorkerEnv, operator: RunCommand) -> None:
    hold(worker_env, 1)
    operator("accounts", "live", "20001", "shadow")
    worker_env.critical_alert()
    worker_env.run_due_jobs()

    assert 0 == worker_env.venue.position(MNQ)


@pytest.mark.parametrize("source", ["alert", "manual", "approved"])
@pytest.mark.parametrize("quantity", [2, 1], ids=["reversal", "close"])
def test_a_market_entry_against_the_position_is_recorded_whole_in_shadow_mode_and_closes_nothing(
    worker_env: WorkerEnv, operator: RunCommand, source: str, quantity: int
) -> None:
    hold(worker_env, 1)
    operator("accounts", "live", "20001", "shadow")
    sent = len(worker_env.venue.requests(PLACE))
    if source == "manual":
        sell = EnterManually(account_id=20001, symbol="MNQ", side=Side.SELL, quantity=quantity, stop_loss_ticks=400)
        (_, preview, _) = worker_env.run(replace(sell, is_dry_run=True))
        assert (0, quantity) == (preview["closes_first"], preview["would_send"]["quantity"]), preview
        worker_env.run(sell)
    elif source == "alert" or quantity == 1:  # one that makes the position smaller waits for no approval
        worker_env.entry_alert(action="sell", quantity=quantity)
    else:
        require_approval(worker_env)
        approve(worker_env, operator, ask(worker_env, action="sell", quantity=quantity))
    worker_env.run_due_jobs()

    told = worker_env.rows("SELECT side, quantity, state FROM orders WHERE role IN ('ENTRY', 'EXIT') ORDER BY id")
    assert [("BUY", 1, "FILLED"), ("SELL", quantity, "SHADOW")] == told
    assert (1, sent) == (worker_env.venue.position(MNQ), len(worker_env.venue.requests(PLACE)))
    assert [] == worker_env.rows("SELECT 1 FROM job WHERE name = 'orders.reduce_position'")
    body = '{"action": "sell", "symbol": "MNQ", "quantity": 2, "stop_loss_ticks": 400}'
    assert "closes" not in operator("alerts", "mock", body).words


def test_commands_say_in_words_that_an_entry_would_have_been_sent(shadow_env: WorkerEnv, operator: RunCommand) -> None:
    typed = type_entry(shadow_env, operator)
    shadow_env.entry_alert()
    shadow_env.run_due_jobs()

    assert (0, True) == (typed.status, "BUY 1 MNQ H26 MARKET: SHADOW, would have been sent" in typed.out), typed
    assert SHADOW in operator("orders").words
    assert 2 == len(operator("orders", "--state", "SHADOW", "--json").json["orders"])
    assert SHADOW in operator("alerts", "list").words
    assert "is in SHADOW mode: entries are recorded, and not sent" in operator("orders").words
    assert "20001, shadow): entries are allowed; they are recorded, and not sent" in operator("risk").words
    assert "live orders shadow" in operator("accounts", "show", "20001").words
    (row,) = operator("accounts", "--json").json["accounts"]
    assert "shadow" == row["live_orders"]
    body = '{"action": "buy", "symbol": "MNQ", "quantity": 1, "stop_loss_ticks": 400}'
    assert "which shadow mode records and does not send" in operator("alerts", "mock", body).words


def test_shadow_mode_is_audited_and_ends_with_on_or_off(shadow_env: WorkerEnv, operator: RunCommand) -> None:
    (name,) = shadow_env.rows("SELECT name FROM account")[0]

    def switch(*words: str) -> Any:
        return operator("accounts", "live", "20001", *words, "--json").json

    modes = [switch("shadow"), switch("on", "--name", name), switch("shadow"), switch("off")]

    assert [(False, True), (True, False), (False, True), (False, False)] == [
        (mode["is_live"], mode["is_shadow"]) for mode in modes
    ]
    acts = operator("accounts", "audit", "20001", "--json").json["acts"]
    assert ["live_off", "live_shadow", "live_on", "live_shadow", "live_shadow"] == [act["act"] for act in acts]
    assert {"live_orders": False, "is_shadow": True} == acts[1]["after"]
    shadow_env.execute("UPDATE account SET name = 'LIVE-1'")
    assert "unknown stage of account 'LIVE-1'" in operator("accounts", "live", "20001", "shadow").error
