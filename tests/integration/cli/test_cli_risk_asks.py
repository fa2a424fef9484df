"""`tickwork risk` says of each contract what an entry in it would be told."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.domain.market_data.calendar import CHICAGO
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

Setting = Callable[[RunCommand, WorkerEnv], None]
IN_DOUBT = """
    INSERT INTO orders (id, account_id, contract_id, client_order_id, origin, role, side, type, quantity, state,
                        correlation_id)
    VALUES (gen_random_uuid(), 20001, 'CON.F.US.MNQ.H26', 'tw-0badf00d-1', 'manual', 'ENTRY', 'BUY', 'MARKET', 1,
            'IN_DOUBT', gen_random_uuid())
"""
FLATTENED = f"""
    INSERT INTO flatten_request (id, account_id, contract_id, origin, reason, correlation_id)
    VALUES (gen_random_uuid(), 20001, '{MNQ}', 'manual', 'a test', gen_random_uuid())
"""


def hold(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()


def set_rule(operator: RunCommand, change: str) -> None:
    assert 0 == operator("accounts", "rules", "20001", change, "--yes").status


def reach_trades_a_day(operator: RunCommand, worker_env: WorkerEnv) -> None:
    hold(worker_env)
    set_rule(operator, "max_trades_per_day=1")


def stop(operator: RunCommand, *reason: str) -> None:
    assert 0 == operator("halt", *reason).status


def market_now(worker_env: WorkerEnv) -> datetime:
    ((now,),) = worker_env.rows("SELECT market_origin_at + (now() - machine_origin_at) * speed FROM market_clock")
    found: datetime = now.astimezone(CHICAGO)
    return found


def leave_trading_hours(operator: RunCommand, worker_env: WorkerEnv) -> None:
    opens, ends = (market_now(worker_env) + timedelta(hours=hours) for hours in (1, 2))
    set_rule(operator, f"trading_hours={opens:%H:%M}-{ends:%H:%M}")


def bring_news(operator: RunCommand, worker_env: WorkerEnv) -> None:
    set_rule(operator, f"news=CPI, {market_now(worker_env).isoformat()}, 60, 60, micros")


def lose_quotes(_: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute("DELETE FROM bar_minute")
    worker_env.redis.flushdb()


def lose_the_stop(_: RunCommand, worker_env: WorkerEnv) -> None:
    hold(worker_env)
    worker_env.execute("UPDATE orders SET state = 'CANCELLED' WHERE role = 'STOP_LOSS'")


def run_sql(*statements: str) -> Setting:
    def change(_: RunCommand, worker_env: WorkerEnv) -> None:
        for statement in statements:
            worker_env.execute(statement)

    return change


SETTINGS: dict[str, tuple[Setting, str]] = {
    "trades a day": (reach_trades_a_day, "trades a day: 1 of 1"),
    "hours": (leave_trading_hours, "trading hours: "),
    "news": (bring_news, "news: CPI at"),
    "quote": (lose_quotes, "no fresh quote of"),
    "stop": (lose_the_stop, "are held without a stop"),
    "in doubt": (run_sql(IN_DOUBT), "has an order in doubt"),
    "flattened": (run_sql(FLATTENED), "is being flattened"),
    "halt": (lambda operator, _: stop(operator, "lunch"), "is halted: lunch"),
    "reduce-only": (lambda operator, _: stop(operator, "CPI", "--reduce-only"), "reduce-only: CPI"),
    "breach": (run_sql("UPDATE account SET breached_market_at = now()"), "max loss limit"),
    "not reconciled": (run_sql("UPDATE account SET reconciled_at = NULL"), "is not reconciled with the venue"),
    "stage": (run_sql("UPDATE account SET name = 'OTHER', preset = NULL"), "unknown stage"),
    "disabled": (run_sql("UPDATE account SET can_trade = false"), "may not trade"),
}


CODES = {
    "quote": "no_fresh_quote",
    "in doubt": "order_in_doubt",
    "flattened": "being_flattened",
    "halt": "halted",
    "reduce-only": "reduce_only",
    "not reconciled": "not_reconciled",
    "stage": "unknown_stage",
    "disabled": "closed_by_venue",
}


def without_times(text: str) -> str:
    return re.sub(r"\d\d:\d\d(:\d\d)?", "", text)


def ask_entry(operator: RunCommand) -> str | None:
    """Return why the smallest entry to buy is not sent, as a dry run of it says."""
    entry = ("orders", "market", "MNQ", "buy", "1", "--stop", "4", "--account", "20001", "--dry-run", "--json")
    found = operator(*entry).json
    told: str | None = found["denied"] or found["postponed"]
    return told


def ask_risk(operator: RunCommand) -> dict[str, Any]:
    (found,) = operator("risk", "--json").json["accounts"]
    assert [(MNQ, "BUY"), (MNQ, "SELL")] == [(one["contract_id"], one["side"]) for one in found["entries"]]
    row: dict[str, Any] = found
    return row


@pytest.mark.parametrize("name", SETTINGS)
def test_risk_says_what_an_entry_is_told(operator: RunCommand, worker_env: WorkerEnv, name: str) -> None:
    change, words = SETTINGS[name]
    assert (True, "entries are allowed") == (ask_risk(operator)["may_enter"], ask_risk(operator)["summary"])
    assert ask_entry(operator) is None

    change(operator, worker_env)
    told, risk = ask_entry(operator), ask_risk(operator)

    assert told is not None
    assert words in told
    assert without_times(told) == without_times("; ".join(one["message"] for one in risk["entries"][0]["obstacles"]))
    assert CODES.get(name) in {None, *(one["code"] for one in risk["entries"][0]["obstacles"])}
    assert risk["may_enter"] is not all(one["obstacles"] for one in risk["entries"])
    assert words in operator("risk").words.partition("No entry to BUY" if risk["may_enter"] else "NO ENTRY: ")[2]


def test_an_entry_that_only_closes_is_named_where_the_others_are_refused(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    hold(worker_env)
    stop(operator, "CPI", "--reduce-only")
    risk = ask_risk(operator)

    assert (True, [True, False]) == (risk["may_enter"], [bool(one["obstacles"]) for one in risk["entries"]])
    told = operator("risk").words
    assert "No entry to BUY MNQ H26: reduce-only: CPI; only an entry that makes a position smaller passes" in told
    assert "NO ENTRY" not in told


def test_without_a_tracked_contract_nothing_is_entered(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute("UPDATE contract SET is_active = false")
    (risk,) = operator("risk", "--json").json["accounts"]

    assert (False, []) == (risk["may_enter"], risk["entries"])
    assert "NO ENTRY: no tracked contract is active" in risk["summary"]
