"""Alerts of two hooks on one account, and of a followed hook: each waits only for what was received before it."""

from typing import Any
from uuid import UUID

import pytest

from shared.ids import new_id
from tests.fixtures.alert_steps import hold, move_average, result_of, run_next, run_until, strategy_fields, time_ago
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from workers.orders import flatten as flatten_module
from workers.wiring import open_runner

TO_LONG_1 = strategy_fields(action="buy", market_position="long", market_position_size=1)
TO_SHORT_1 = strategy_fields(quantity=2, market_position="short", market_position_size=1)
IN_AN_HOUR = "UPDATE job SET run_at = now() + interval '1 hour' WHERE id = '{}'"


@pytest.mark.parametrize(("held", "target", "left"), [(0, TO_LONG_1, 1), (1, TO_SHORT_1, -1)], ids=["flat", "long"])
def test_a_close_that_was_sent_before_a_newer_target_position_does_not_end_it(
    worker_env: WorkerEnv, held: int, target: dict[str, Any], left: int
) -> None:
    if held:
        hold(worker_env, held)
    hook_id, earlier, later = worker_env.add_hook(), time_ago(5), time_ago(1)
    newer = worker_env.entry_alert(hook_id, **target, timenow=later)
    if held:
        run_next(worker_env, newer)
    older = worker_env.critical_alert(hook_id, timenow=earlier)
    run_next(worker_env, older)
    run_until(worker_env, left)


def test_an_exit_does_not_wait_for_an_entry_of_another_hook_in_another_product(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    worker_env.execute(IN_AN_HOUR.format(worker_env.entry_alert(worker_env.add_hook(), symbol="MES")))
    run_next(worker_env, worker_env.critical_alert(worker_env.add_hook(), action="close_long"))

    assert 0 == worker_env.venue.position()


def test_an_exit_of_one_side_waits_for_the_entry_before_it_while_the_other_side_is_held(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    hook_id = worker_env.add_hook()
    reversal = worker_env.entry_alert(hook_id, **TO_SHORT_1)
    worker_env.execute(IN_AN_HOUR.format(reversal))
    exit_ = worker_env.critical_alert(hook_id, action="close_short")
    worker_env.execute(f"UPDATE job SET enqueued_at = now() - interval '16 s' WHERE id = '{exit_}'")
    run_next(worker_env, exit_)
    assert result_of(worker_env, exit_).startswith("queued: PostponedError")

    worker_env.execute(f"UPDATE job SET run_at = now() WHERE id = '{reversal}'")
    run_until(worker_env, 0)
    assert result_of(worker_env, exit_).startswith("succeeded")


def test_an_exit_in_part_that_meets_a_close_of_all_does_not_reverse(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The close begins while the reduction is about to write its order."""
    hold(worker_env, 3)
    hook_id = worker_env.add_hook()
    part, whole = worker_env.critical_alert(hook_id, quantity=1), worker_env.critical_alert(hook_id)
    met: list[UUID] = []
    with open_runner(worker_env.settings, process("test/2"), program="test") as other:

        def begin_the_close_first() -> UUID:
            if not met:
                met.append(whole)
                with monkeypatch.context() as patch:
                    patch.setattr(flatten_module, "SWEEPS_PER_RUN", 1)
                    other.run(whole)
                    for (job_id,) in worker_env.rows("SELECT id FROM job WHERE name = 'orders.flatten'"):
                        other.run(job_id)
            return new_id()

        monkeypatch.setattr("workers.orders.reduce_position.new_id", begin_the_close_first)
        run_next(worker_env, part)
        for (job_id,) in worker_env.rows("SELECT id FROM job WHERE name = 'orders.reduce_position'"):
            run_next(worker_env, job_id)
    assert [whole] == met
    run_until(worker_env, 0)

    assert [(3,)] == worker_env.rows("SELECT sum(quantity) FROM orders WHERE side = 'SELL' AND state = 'FILLED'")


def add_leader(worker_env: WorkerEnv) -> UUID:
    """Add a hook of another account, which fails, and whose follower the account is."""
    follower = worker_env.venue.account_id
    leader = follower + 1000
    record = f"(jsonb_populate_record(a, jsonb_build_object('id', {leader}, 'name', 'OTHER')))"
    worker_env.execute(f"INSERT INTO account SELECT {record}.* FROM account a WHERE id = {follower}")
    followed = worker_env.add_hook(None, follower)
    worker_env.execute(f"UPDATE hook SET account_id = {leader} WHERE id = '{followed}'")
    return followed


def test_a_follower_keeps_the_place_of_its_alert_among_those_of_its_own_hooks(worker_env: WorkerEnv) -> None:
    followed, own = add_leader(worker_env), worker_env.add_hook()
    worker_env.entry_alert(followed)
    part, second = worker_env.critical_alert(own, quantity=1), worker_env.entry_alert(own)
    run_next(worker_env, part)
    run_next(worker_env, second)
    worker_env.run_due_jobs()
    run_until(worker_env, 1)

    sides = [side for (side,) in worker_env.rows("SELECT side FROM orders WHERE state = 'FILLED' ORDER BY created_at")]
    assert ["BUY", "SELL", "BUY"] == sides


def test_a_copied_reversal_is_entered_once_every_account_has_closed(worker_env: WorkerEnv) -> None:
    """Before that it would be denied: the firm closes accounts that hold opposite sides."""
    hold(worker_env, 1)
    followed = add_leader(worker_env)
    record = "(jsonb_populate_record(p, jsonb_build_object('account_id', p.account_id + 1000)))"
    worker_env.execute(f"INSERT INTO position SELECT {record}.* FROM position p")
    first = worker_env.entry_alert(followed, **strategy_fields(market_position="short", market_position_size=1))
    worker_env.execute(IN_AN_HOUR.format(first))
    worker_env.execute("UPDATE job SET run_at = now() + interval '1 hour' WHERE name = 'alerts.close_reversed'")
    ((copy,),) = worker_env.rows("SELECT id FROM job WHERE name = 'alerts.handle_follower_alert' AND state = 'queued'")
    run_next(worker_env, copy)
    while worker_env.venue.position() != 0 or "still closes" not in (worker_env.job(copy)[2] or ""):
        worker_env.execute(IN_AN_HOUR.format(copy))
        worker_env.run_due_jobs()
        run_next(worker_env, copy)
    worker_env.execute(f"DELETE FROM position WHERE account_id <> {worker_env.venue.account_id}")
    worker_env.run_due_jobs()

    assert -1 == worker_env.venue.position()
    assert "succeeded" == worker_env.job(copy)[0]


def test_a_follower_trades_while_the_first_account_of_its_hook_waits(worker_env: WorkerEnv) -> None:
    """Entries, partial exits and stop moves of the follower wait for its own alerts only."""
    followed = add_leader(worker_env)
    for first in (worker_env.entry_alert(followed, quantity=3), worker_env.critical_alert(followed, quantity=1)):
        worker_env.execute(IN_AN_HOUR.format(first))
    worker_env.run_due_jobs()

    assert 2 == worker_env.venue.position()
    move_average(worker_env, -50)  # a stop at breakeven is then below the market
    for fields in ({"action": "breakeven"}, {"action": "close", "quantity": 1}):
        worker_env.execute(IN_AN_HOUR.format(worker_env.critical_alert(followed, **fields)))
        worker_env.run_due_jobs()
    assert 1 == worker_env.venue.position()
    states = worker_env.rows("SELECT DISTINCT state FROM job WHERE name = 'alerts.handle_follower_alert'")
    assert [("succeeded",)] == states
