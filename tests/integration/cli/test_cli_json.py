"""The JSON of the commands: every list against its schema, numbers instead of sentences, and what a dry run would do.

`operator` checks each output against the schema of its command.
"""

from decimal import Decimal
from typing import Any

import pytest

from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.alert_steps import hold
from tests.fixtures.approvals import approve, ask
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.orders_command import newest_close

LISTS = (
    "orders", "positions", "approvals --all", "top", "accounts", "accounts show 20001", "accounts rules 20001",
    "accounts audit", "risk", "trades", "trades stats", "trades stats --by contract", "alerts list", "quotes", "bars",
    "jobs --all", "jobs dead", "metrics", "schedule list", "strategies", "hooks list", "hooks template", "tokens list",
)  # fmt: skip
CHANGES = (
    "accounts default-stop 20001 40", "accounts high-water-mark 20001 50000 --yes", "accounts live 20001 off",
    "accounts balance-move 20001 500 --yes", "accounts show 20001", "halt lunch", "halt again", "resume back",
    "strategies on mean_reversion 20001", "strategies off mean_reversion 20001", "strategies",
    "strategies show overnight_breakout",
)  # fmt: skip

ENTER = "orders market MNQ buy 2 --stop 400"


@pytest.fixture
def holding(worker_env: WorkerEnv) -> WorkerEnv:
    """A worker whose alert has bought one contract, which a stop protects; a job of it is dead."""
    hold(worker_env, 1)
    job_id = worker_env.enqueue(DoNothing())
    dead = "state = 'dead', attempt = 3, finished_at = now(), error = 'ValueError: broken'"
    worker_env.execute(f"UPDATE job SET {dead} WHERE id = '{job_id}'")
    return worker_env


def run_well(operator: RunCommand, command: str) -> Any:
    result = operator(*command.split(), "--json")
    assert 0 == result.status, result
    return result.json


@pytest.mark.usefixtures("holding")
def test_every_list_prints_what_its_schema_says(operator: RunCommand) -> None:
    found = {command: run_well(operator, command) for command in LISTS}

    assert [1, 1, 1] == [len(found["orders"][name]) for name in ("positions", "fills")] + [
        len(found["positions"]["positions"])
    ]
    assert ["dead"] == [row["state"] for row in found["jobs dead"]["jobs"]]


@pytest.mark.usefixtures("holding")
def test_every_change_prints_what_its_schema_says(operator: RunCommand) -> None:
    found = {command: run_well(operator, command) for command in CHANGES}

    assert [20001] == found["strategies on mean_reversion 20001"]["trading_account_ids"]
    assert [False] == [row["trades"] for row in found["strategies"]["strategies"] if row["account_id"] == 20001]
    (move,) = found["accounts show 20001"]["balance_moves"]
    assert ("500", "manual") == (move["amount"], move["origin"])
    assert ([], ["HALTED"]) == (
        found["halt again"]["halted"],
        [row["state"] for row in found["halt again"]["already_halted"]],
    )


def test_rates_and_durations_are_numbers_in_the_unit_of_their_key(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute(
        """INSERT INTO api_call (endpoint, method, called_at, duration_ms, status, error, queue)
           SELECT '/x', 'POST', now(), 12.5, 200, CASE WHEN i = 1 THEN 'broken' END, 'high'
           FROM generate_series(1, 8) AS i"""
    )
    found = run_well(operator, "metrics")

    (row,) = (one for one in found["api"] if one["endpoint"] == "/x")
    assert {"count": 8, "error_count": 1, "error_percent": 12.5, "p50_ms": 12.5} == {
        name: row[name] for name in ("count", "error_count", "error_percent", "p50_ms")
    }
    assert [float] * 3 == [type(one) for one in found["system"]["load"]]
    assert "12.5 %" in operator("metrics").out


def test_an_approval_and_its_rejection_are_json(operator: RunCommand, worker_env: WorkerEnv) -> None:
    assert run_well(operator, "accounts approval 20001 on")["is_approval_required"]
    approved = approve(worker_env, operator, ask(worker_env), "--json")
    assert ("FILLED", None) == (approved.json["order"]["state"], approved.json["error"])
    ask(worker_env)
    (waiting,) = run_well(operator, "approvals")["approvals"]

    assert "WAITING" == waiting["state"]
    assert "REJECTED" == run_well(operator, f"approvals reject {waiting['id']}")["state"]


def test_changes_of_a_hook_are_json(operator: RunCommand, worker_env: WorkerEnv) -> None:
    name = f"hook {worker_env.add_hook()}"
    commands = (("pause",), ("resume",), ("show",), ("set", "--cooldown", "60"), ("template",), ("remove", "--yes"))
    told = {verb: operator("hooks", verb, name, *more, "--json").json for verb, *more in commands}

    assert (None, {"cooldown_s": 60}) == (told["resume"]["paused_at"], told["set"]["settings"])
    assert ["strategy_position", "strategy_orders", "indicator_buy", "indicator_sell", "close_all"] == [
        one["kind"] for one in told["template"]["templates"]
    ]
    assert {"removed": name} == told["remove"]


@pytest.mark.usefixtures("worker")
def test_orders_of_every_kind_are_json(operator: RunCommand, worker_env: WorkerEnv) -> None:
    bracket = run_well(operator, "orders bracket MNQ buy 1 --stop 400 --target 400")
    price = newest_close(worker_env)
    resting = [
        run_well(operator, f"orders {kind} MNQ {side} 1 --price {level} --stop 40")["order"]
        for kind, side, level in (("limit", "buy", price - 100), ("stop", "buy", price + 100))
    ]
    modified = run_well(operator, f"orders modify {resting[0]['id']} --limit {price - 101}")
    preview = run_well(operator, f"orders modify {resting[0]['id']} --limit {price - 102} --dry-run")

    assert {"STOP_LOSS", "TAKE_PROFIT"} == {leg["role"] for leg in bracket["legs"]}
    assert ["LIMIT", "STOP"] == [order["type"] for order in resting]
    assert ([resting[0]["id"]], []) == (modified["modified"], modified["refused"])
    (change,) = preview["would_send"]
    assert (1, None, price - 102) == (change["quantity_before"], change["quantity"], Decimal(change["limit_price"]))
    assert {"20001"} == preview["findings"].keys()


@pytest.mark.usefixtures("worker")
def test_dry_runs_say_what_would_be_sent(operator: RunCommand) -> None:
    assert run_well(operator, "orders market MNQ buy 1 --stop 400 --dry-run")["is_dry_run"]
    run_well(operator, ENTER)
    (whole,) = run_well(operator, "positions close MNQ --dry-run")["would_close"]
    part = run_well(operator, "positions close MNQ 1 --dry-run")
    cancels = run_well(operator, "orders cancel --all --dry-run")

    assert (MNQ, "LONG", 2) == (whole["contract_id"], whole["direction"], whole["quantity"])
    assert 1 == len(whole["order_ids"])
    assert (True, [("SELL", 1, 2)]) == (
        part["is_dry_run"],
        [(row["side"], row["quantity"], row["held_now"]) for row in part["closed"]],
    )
    assert (True, []) == (cancels["is_dry_run"], cancels["would_send"])


@pytest.mark.usefixtures("worker")
def test_positions_are_changed_and_closed(operator: RunCommand) -> None:
    entry = run_well(operator, ENTER)["order"]
    shown = run_well(operator, f"orders show {entry['id']}")
    trail = run_well(operator, "positions trail MNQ 400")
    part = run_well(operator, "positions close MNQ 1")
    rest = run_well(operator, "flatten --yes")

    assert ["STOP_LOSS"] == [leg["role"] for leg in shown["legs"]]
    assert (entry["id"], 400) == (trail["order_id"], trail["trail_ticks"])
    assert (False, [1]) == (part["is_dry_run"], [row["held_now"] for row in part["closed"]])
    assert [True] == [row["is_flat"] for row in rest["flattened"]]
    assert "flattened" in run_well(operator, "halt --flatten --yes enough")
