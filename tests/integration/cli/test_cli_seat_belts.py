"""What a person is asked before it happens; without a terminal the command is refused, and says what to add."""

from decimal import Decimal
from typing import Any

import pytest

from tests.fixtures.operator import CommandResult, RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.orders_command import MODIFY, PLACE, enter_resting, newest_close, read_state


def require_question(
    operator: RunCommand, command: tuple[str, ...], consequence: str, act: str, *, refusal: str = "nothing was changed"
) -> None:
    """Run a command that asks: without a terminal, with a no, and with --json."""
    unasked, no = operator(*command), operator(*command, typed="n\n")

    assert (1, "") == (unasked.status, unasked.out), unasked
    assert consequence in unasked.words
    assert f"There is no terminal to confirm at: add --yes to {act}" in unasked.words
    assert (1, True, True) == (no.status, consequence in no.words, refusal in no.words), no
    assert "add --yes" in operator(*command, "--json").json["error"]


def limit(price: Decimal, side: str = "buy") -> tuple[str, ...]:
    return ("orders", "limit", "MNQ", side, "1", "--price", str(price), "--stop", "40")


@pytest.mark.usefixtures("worker")
def test_an_entry_far_from_the_market_is_asked_about(operator: RunCommand, worker_env: WorkerEnv) -> None:
    close = newest_close(worker_env)
    require_question(operator, limit(close + 3400), "it fills at once, as a market order does", "enter it")
    require_question(
        operator, limit(close + 3400, "sell"), "it fills only once the market has moved that far", "enter it"
    )
    stop = ("orders", "stop", "MNQ", "buy", "1", "--price", str(close - 500), "--stop", "40")
    require_question(operator, stop, "it triggers at once, or the venue rejects it", "enter it")
    assert ([], []) == (
        worker_env.venue.requests(PLACE),
        worker_env.rows("SELECT id FROM job WHERE name = 'orders.enter_manually'"),
    )

    assert 0 == operator(*limit(close + 3400), typed="y\n").status
    assert 0 == operator(*limit(close + 3400, "sell"), "--yes", "--stop", "400").status
    assert 0 == operator(*limit(close + 3400), "--dry-run").status


@pytest.mark.usefixtures("worker")
def test_a_working_order_moved_far_from_the_market_is_asked_about(operator: RunCommand, worker_env: WorkerEnv) -> None:
    order = enter_resting(operator, worker_env)["id"]
    modify = ("orders", "modify", order, "--limit", str(newest_close(worker_env) + 3400))
    require_question(operator, modify, "it fills at once, as a market order does", "change it")

    assert [] == worker_env.venue.requests(MODIFY)
    assert 0 == operator(*modify, "--yes").status


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("size", [("3",), ("--risk", "30")], ids=["quantity", "risk"])
def test_an_entry_that_risks_more_than_is_left_is_asked_about(
    operator: RunCommand, worker_env: WorkerEnv, size: tuple[str, ...]
) -> None:
    assert 0 == operator("accounts", "rules", "20001", "weekly_loss_limit=25").status
    entry = ("orders", "market", "MNQ", "buy", *size, "--stop", "20")
    require_question(
        operator,
        entry,
        "once every open stop is hit 25.00 is left until the weekly loss limit, at which everything",
        "enter it",
    )
    assert [] == worker_env.venue.requests(PLACE)

    assert 0 == operator("orders", "market", "MNQ", "buy", "1", "--stop", "20").status, "it risks 12.72"
    assert 0 == operator("orders", "market", "MNQ", "sell", "1", "--stop", "400").status, "it closes"
    assert 0 == worker_env.venue.position(MNQ)


def test_a_rule_looser_than_the_firms_is_asked_about(operator: RunCommand, worker_env: WorkerEnv) -> None:
    rules = ("accounts", "rules", "20001")
    for change, consequence in {
        "daily_loss_limit=99999": "daily_loss_limit 99,999.00 is looser than the firm's",
        "max_loss_limit=none": "max_loss_limit none is looser than the firm's",
        "max_minis=500": "max_minis 500 is looser than the firm's",
        "forbid_opposite_sides=no": "your accounts may hedge each other",
    }.items():
        require_question(operator, (*rules, change), consequence, "change it")
    assert [({},)] == worker_env.rows("SELECT rule_changes FROM account")

    assert 0 == operator(*rules, "daily_loss_limit=99999", "--yes").status
    assert 0 == operator(*rules, "max_trades_per_day=4").status, "what was confirmed is not asked about again"
    assert 0 == operator(*rules, "daily_loss_limit=100").status


def test_a_high_water_mark_that_is_too_low_is_asked_about(operator: RunCommand, worker_env: WorkerEnv) -> None:
    mark = ("accounts", "high-water-mark", "20001")
    require_question(operator, (*mark, "10"), "The mark 10.00 is below 50,000.00, the balance at which", "change it")
    worker_env.execute("UPDATE account SET name = '50KTC-V2-1', preset = 'combine-50k', high_water_mark = 51000")
    require_question(operator, (*mark, "50500"), "The loss limit level falls from 49,000.00 to 48,500.00", "change it")

    assert [(Decimal(51000),)] == worker_env.rows("SELECT high_water_mark FROM account")
    assert 0 == operator(*mark, "50500", "--yes").status


@pytest.mark.usefixtures("worker")
def test_a_cancel_of_all_orders_is_asked_about(operator: RunCommand, worker_env: WorkerEnv) -> None:
    assert "Nothing to do." in operator("orders", "cancel", "--all").out
    order: dict[str, Any] = enter_resting(operator, worker_env)
    consequence = "Cancel 1 order of account 20001: BUY 1 MNQ H26 LIMIT at "
    require_question(operator, ("orders", "cancel", "--all"), consequence, "cancel them")
    assert "WORKING" == read_state(worker_env, order["id"])

    done: CommandResult = operator("orders", "cancel", "--all", typed="y\n")
    assert (0, f"cancelled {order['id']}\n") == (done.status, done.out)


def test_the_removal_of_a_hook_is_asked_about(operator: RunCommand, worker_env: WorkerEnv) -> None:
    hook_id = worker_env.add_hook()
    ((name,),) = worker_env.rows("SELECT name FROM hook WHERE id = %s", hook_id)
    worker_env.entry_alert(hook_id)
    worker_env.run_due_jobs()
    remove = ("hooks", "remove", name)
    require_question(operator, remove, "What its accounts hold, +1 MNQ H26, is closed by none of them.", "remove it")
    require_question(operator, remove, "is answered with 404, also one that closes", "remove it")

    assert 0 == operator(*remove, typed="y\n").status
    assert [(True,)] == worker_env.rows("SELECT removed_at IS NOT NULL FROM hook WHERE id = %s", hook_id)
