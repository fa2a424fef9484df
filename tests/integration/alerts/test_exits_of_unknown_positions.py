"""Exits in part, of one side, or down to a position, where little is known: what rests, what only the venue knows."""

from decimal import Decimal
from typing import Any

import pytest

from shared.domain.alerts.hook_settings import HookSettings, SizeMode
from shared.ledger.jobs.orders import ReducePosition
from tests.fixtures.alert_steps import (
    ENTRIES,
    hold,
    result_of,
    run_next,
    run_until,
    strategy_fields,
    time_ago,
)
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from workers.alerts.entry_checks import check_hook_settings
from workers.alerts.outcome import request_cancels
from workers.wiring import open_runner

POSITIONS = "/api/Position/searchOpen"
TO_LONG_1 = strategy_fields(action="buy", market_position="long", market_position_size=1)
STAYS_LONG: dict[str, Any] = {"action": "sell", "quantity": 1, "market_position": "long"}


def rest_on_both_sides(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(action="buy", limit_price=20000)
    worker_env.entry_alert(action="sell", limit_price=30000)
    worker_env.run_due_jobs()
    assert {"WORKING"} == {state for *_, state in worker_env.rows(ENTRIES)}


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"action": "close_long"}, ["SELL"]),
        ({"action": "close_short"}, ["BUY"]),
        ({"action": "close", "quantity": 1}, []),
        (STAYS_LONG, ["BUY"]),
        (STAYS_LONG | {"market_position_size": 1}, ["BUY"]),
    ],
    ids=["long", "short", "part", "stays long", "stays long by size"],
)
def test_an_exit_cancels_the_resting_entries_that_it_means(
    worker_env: WorkerEnv, fields: dict[str, Any], left: list[str]
) -> None:
    """An entry that rests would open, after the exit, what the exit closes."""
    rest_on_both_sides(worker_env)
    job_id = worker_env.critical_alert(**fields)
    run_until(worker_env, 0)

    assert result_of(worker_env, job_id).startswith("succeeded")
    assert left == [side for side, *_, state in worker_env.rows(ENTRIES) if state == "WORKING"]


def test_an_exit_of_one_side_cancels_its_entries_while_the_other_side_is_held(worker_env: WorkerEnv) -> None:
    hold(worker_env, -1)
    worker_env.entry_alert(action="buy", limit_price=20000)
    worker_env.run_due_jobs()
    worker_env.critical_alert(action="close_long")
    run_until(worker_env, -1)

    assert [("BUY", "LIMIT", 1, "CANCELLED")] == worker_env.rows(ENTRIES)[1:]


def test_a_hook_with_its_own_size_keeps_its_resting_entry_while_the_chart_stays(worker_env: WorkerEnv) -> None:
    hook_id = worker_env.add_hook(HookSettings(size=SizeMode.FIXED, size_value=Decimal(1)))
    worker_env.entry_alert(hook_id, action="buy", limit_price=20000)
    worker_env.run_due_jobs()
    worker_env.critical_alert(hook_id, **STAYS_LONG, market_position_size=1)
    run_until(worker_env, 0)

    assert [("BUY", "LIMIT", 1, "WORKING")] == worker_env.rows(ENTRIES)


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"action": "close_long"}, 0),
        ({"action": "close", "quantity": 1}, 1),
        (STAYS_LONG | {"market_position_size": 1}, 1),
        ({"action": "close_short"}, 2),
    ],
    ids=["side", "part", "position", "other side"],
)
def test_an_exit_asks_the_venue_before_it_does_nothing(
    worker_env: WorkerEnv, fields: dict[str, Any], left: int
) -> None:
    """A person has bought in the firm's own screen, and no event of it has arrived."""
    worker_env.venue.trade(side=0, size=2)
    assert [] == worker_env.rows("SELECT 1 FROM position WHERE quantity <> 0")
    worker_env.critical_alert(**fields)
    run_until(worker_env, left)


@pytest.mark.parametrize("status", [503, 403])
def test_an_exit_waits_while_the_venue_cannot_say_what_is_held(worker_env: WorkerEnv, status: int) -> None:
    worker_env.venue.trade(side=0, size=1)
    worker_env.venue.faults(path=POSITIONS, kind="status", status=status, count=20)
    job_id = worker_env.critical_alert(action="close_long")
    run_next(worker_env, job_id)

    assert "queued: PostponedError: the venue could not be asked what is held" in result_of(worker_env, job_id)
    worker_env.venue.remove_faults()
    run_until(worker_env, 0)


@pytest.mark.parametrize("status", [503, 403])
def test_a_partial_exit_neither_fails_nor_backs_off_while_the_venue_is_away(worker_env: WorkerEnv, status: int) -> None:
    hold(worker_env, 3)
    worker_env.venue.faults(path=POSITIONS, kind="status", status=status, count=1000)
    job_id = worker_env.enqueue(ReducePosition(account_id=worker_env.venue.account_id, contract_id=MNQ, quantity=1))
    for _ in range(8):
        run_next(worker_env, job_id)

    waits = "SELECT attempt, run_at < now() + interval '3 s' FROM job WHERE id = %s AND state = 'queued'"
    assert [(0, True)] == worker_env.rows(waits, job_id)
    worker_env.venue.remove_faults()
    run_until(worker_env, 2)


@pytest.mark.parametrize("fields", [{}, {"market_position": "flat"}], ids=["close", "flat"])
def test_an_exit_whose_time_is_that_of_its_bar_is_not_late(worker_env: WorkerEnv, fields: dict[str, Any]) -> None:
    hook_id = worker_env.add_hook()
    worker_env.entry_alert(hook_id, **TO_LONG_1, timenow=time_ago(1))
    run_until(worker_env, 1)
    worker_env.critical_alert(hook_id, timenow=time_ago(300), **fields)
    run_until(worker_env, 0)


def test_an_entry_that_fills_before_its_cancel_is_closed_all_the_same(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker_env.entry_alert(action="buy", limit_price=20000)
    worker_env.run_due_jobs()

    def fill_first(*arguments: Any) -> None:
        worker_env.venue.move_price(Decimal(19990))
        request_cancels(*arguments)

    monkeypatch.setattr("workers.alerts.exits.request_cancels", fill_first)
    worker_env.critical_alert(action="close_long")
    run_until(worker_env, 0)

    assert [("BUY", "LIMIT", 1, "FILLED")] == worker_env.rows(ENTRIES)


def test_an_entry_that_is_decided_while_a_close_ends_is_not_made(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook_id = worker_env.add_hook()
    entry, close = worker_env.entry_alert(hook_id), worker_env.critical_alert(hook_id)
    with open_runner(worker_env.settings, process("test/2"), program="test") as other:

        def close_after_the_check(*arguments: Any) -> str | None:
            warning = check_hook_settings(*arguments)
            other.run(close)
            ((flatten,),) = worker_env.rows("SELECT id FROM job WHERE name = 'orders.flatten'")
            other.run(flatten)
            return warning

        monkeypatch.setattr("workers.alerts.handle_alert.check_hook_settings", close_after_the_check)
        run_next(worker_env, entry)
    run_until(worker_env, 0)

    assert "closed by a later request" in result_of(worker_env, entry)
    assert [("BUY", "MARKET", 1, "DENIED")] == worker_env.rows(ENTRIES)
