"""Two accounts at the simulator: a follower trades the alerts of the first at its own ratio."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from shared.db.alerts import hooks
from shared.domain.alerts.hook_settings import HookSettings, SizeMode
from tests.fixtures.alert_steps import run_next, strategy_fields
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ, RunningVenue, StartVenue
from tests.fixtures.worker_env import WorkerEnv


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    """A simulator with a practice account and a Combine."""
    return start_venue(options=("--accounts", "50KTC"))


def read_follower(worker_env: WorkerEnv) -> int:
    ((account_id,),) = worker_env.rows("SELECT id FROM account WHERE id <> %s", worker_env.venue.account_id)
    found: int = account_id
    return found


def add_hook(worker_env: WorkerEnv, ratio: str, settings: HookSettings | None = None) -> UUID:
    """Add a hook with a follower that has this ratio."""
    hook_id = worker_env.add_hook(settings)
    with worker_env.ledger.engine.begin() as connection:
        hooks.set_followers(connection, hook_id, {read_follower(worker_env): Decimal(ratio)})
    return hook_id


def run_until_held(worker_env: WorkerEnv, own: int, copied: int) -> None:
    """Run what is due until the venue shows both positions and no job is left."""

    def held(account_id: int) -> int:
        rows = worker_env.venue.post("/api/Position/searchOpen", accountId=account_id)["positions"]
        return sum(row["size"] * (1 if row["type"] == 1 else -1) for row in rows if row["contractId"] == MNQ)

    def is_done() -> bool:
        worker_env.write_quote()
        worker_env.run_due_jobs()
        left = worker_env.rows("SELECT 1 FROM job WHERE state IN ('queued', 'running') LIMIT 1")
        return not left and (own, copied) == (held(worker_env.venue.account_id), held(read_follower(worker_env)))

    until(is_done, what=f"positions of {own} and {copied}")


def last_copy(worker_env: WorkerEnv) -> tuple[Any, ...]:
    """Return the newest signal of the follower."""
    newest = "SELECT action, quantity, verdict, reason FROM signal WHERE account_id = %s ORDER BY id DESC LIMIT 1"
    return tuple(worker_env.rows(newest, read_follower(worker_env))[0])


@pytest.mark.parametrize(("enters", "exits", "way"), [("buy", "sell", 1), ("sell", "buy", -1)])
def test_plain_orders_are_copied_in_both_directions_and_no_exit_is_lost_to_rounding(
    worker_env: WorkerEnv, enters: str, exits: str, way: int
) -> None:
    hook_id = add_hook(worker_env, "0.5")
    worker_env.entry_alert(hook_id, action=enters, quantity=1)
    run_until_held(worker_env, way, 0)
    denied = "copy ratio 0.5 of 1 contract is less than one contract: nothing is entered"
    assert (enters.upper(), 1, "denied", denied) == last_copy(worker_env)
    worker_env.entry_alert(hook_id, action=enters, quantity=3)
    run_until_held(worker_env, 4 * way, way)
    assert (enters.upper(), 1, "accepted", "copy ratio 0.5") == last_copy(worker_env)

    worker_env.entry_alert(hook_id, action=exits, quantity=1)
    run_until_held(worker_env, 3 * way, 0)
    closed = f"1 of {MNQ} closed, and nothing to open; copy ratio 0.5"
    assert ("CLOSE", 1, "accepted", closed) == last_copy(worker_env)


@pytest.mark.parametrize(
    ("ratio", "orders"),
    [
        ("0.5", [(4, 4, 2), (-1, 3, 1), (-1, 2, 0), (-2, 0, 0)]),
        ("1.5", [(1, 1, 1), (1, 2, 2), (-1, 1, 0), (-1, 0, 0)]),
        ("0.5", [(1, 1, 0), (-2, -1, 0), (2, 1, 0)]),
        ("0.5", [(3, 3, 1), (-6, -3, -1)]),
        ("1.5", [(1, 1, 1), (-2, -1, -1), (1, 0, 0)]),
    ],
    ids=str,
)
def test_a_copy_of_plain_orders_never_holds_more_than_its_share_nor_what_the_leader_does_not(
    worker_env: WorkerEnv, ratio: str, orders: list[tuple[int, int, int]]
) -> None:
    hook_id = add_hook(worker_env, ratio)
    worker_env.execute("UPDATE account SET rule_changes = jsonb_build_object('max_quantity', '20')")
    for quantity, own, copied in orders:
        worker_env.entry_alert(hook_id, action="buy" if quantity > 0 else "sell", quantity=abs(quantity))
        run_until_held(worker_env, own, copied)


def test_a_reversal_by_risk_is_entered_once_every_account_of_the_hook_has_closed(worker_env: WorkerEnv) -> None:
    hook_id = add_hook(worker_env, "1", HookSettings(size=SizeMode.RISK, size_value=Decimal(100)))
    worker_env.entry_alert(hook_id, quantity=1, stop_loss_ticks=40)
    run_until_held(worker_env, 4, 4)
    job_id = worker_env.entry_alert(hook_id, action="sell", quantity=1, stop_loss_ticks=20)
    of_follower = f"arguments ->> 'account_id' = '{read_follower(worker_env)}' AND state = 'queued'"

    def is_waited_for() -> bool:
        worker_env.execute(f"UPDATE job SET run_at = now() + interval '1 hour' WHERE {of_follower}")
        worker_env.write_quote()
        if (found := worker_env.next_job()) is not None:
            worker_env.runner.run(found[0])
        return "still closes" in str(worker_env.job(job_id)[2])

    until(is_waited_for, what="the wait for the copy")
    worker_env.execute(f"UPDATE job SET run_at = now() WHERE {of_follower}")
    run_until_held(worker_env, -3, -3)


def test_a_copy_closes_beside_its_own_resting_exit_of_the_same_size(worker_env: WorkerEnv) -> None:
    hook_id = add_hook(worker_env, "0.5")
    worker_env.entry_alert(hook_id, quantity=4)
    run_until_held(worker_env, 4, 2)
    worker_env.entry_alert(hook_id, action="sell", quantity=4, order_type="limit", limit_price="30000")
    worker_env.run_due_jobs()
    worker_env.entry_alert(hook_id, action="sell", quantity=4)
    run_until_held(worker_env, 0, 0)


def test_a_copy_enters_after_a_close_that_is_late_on_the_hooks_own_account(worker_env: WorkerEnv) -> None:
    hook_id = add_hook(worker_env, "0.5")
    worker_env.entry_alert(hook_id, quantity=4)
    run_until_held(worker_env, 4, 2)
    worker_env.critical_alert(hook_id)
    for _ in range(3):  # the alert's own jobs, which hand over to a flatten
        found = worker_env.next_job(is_critical_first=True)
        assert found is not None
        worker_env.runner.run(found[0])
    worker_env.entry_alert(hook_id, action="sell", quantity=4)
    run_until_held(worker_env, -4, -2)


def test_a_copy_that_does_not_know_what_the_leader_opens_closes_at_once_and_then_opens_nothing(
    worker_env: WorkerEnv,
) -> None:
    hook_id = add_hook(worker_env, "0.5")
    worker_env.entry_alert(hook_id, quantity=3)
    run_until_held(worker_env, 3, 1)
    earlier = worker_env.entry_alert(hook_id, quantity=1)
    worker_env.execute(f"UPDATE job SET run_at = now() + interval '1 hour' WHERE id = '{earlier}'")
    worker_env.entry_alert(hook_id, action="sell", quantity=6)
    of_follower = f"arguments ->> 'account_id' = '{read_follower(worker_env)}' AND state = 'queued'"
    closing = "SELECT quantity_closing FROM entry_reversal WHERE account_id = %s"
    ((first,),) = worker_env.rows(f"SELECT id FROM job WHERE name = 'alerts.close_reversed' AND {of_follower}")
    run_next(worker_env, first)
    assert [(1,)] == worker_env.rows(closing, read_follower(worker_env)), "not even once it waits"

    def is_decided() -> bool:
        worker_env.write_quote()
        worker_env.run_due_jobs()
        worker_env.execute(f"UPDATE job SET run_at = now(), enqueued_at = now() - interval '16 s' WHERE {of_follower}")
        return bool(last_copy(worker_env)[0] == "CLOSE")

    until(is_decided, what="the end of the wait")
    assert ("accepted", True) == (last_copy(worker_env)[2], "nothing to open" in last_copy(worker_env)[3])


@pytest.mark.parametrize(("enters", "way"), [("buy", 1), ("sell", -1)])
def test_a_part_is_rounded_up_and_never_more_than_is_held_and_a_close_closes_all(
    worker_env: WorkerEnv, enters: str, way: int
) -> None:
    hook_id = add_hook(worker_env, "0.5")
    worker_env.entry_alert(hook_id, action=enters, quantity=5)
    run_until_held(worker_env, 5 * way, 2 * way)
    worker_env.critical_alert(hook_id, quantity=1)
    run_until_held(worker_env, 4 * way, way)
    assert ("CLOSE", 1, "accepted", "closes 1 of the position; copy ratio 0.5") == last_copy(worker_env)
    worker_env.critical_alert(hook_id, quantity=3)
    run_until_held(worker_env, way, 0)
    worker_env.entry_alert(hook_id, action=enters, quantity=2)
    run_until_held(worker_env, 3 * way, way)
    worker_env.critical_alert(hook_id)
    run_until_held(worker_env, 0, 0)


@pytest.mark.parametrize(("enters", "side", "way"), [("buy", "long", 1), ("sell", "short", -1)])
def test_target_positions_are_copied_toward_zero_and_a_reversal_to_less_than_one_contract_closes(
    worker_env: WorkerEnv, enters: str, side: str, way: int
) -> None:
    hook_id = add_hook(worker_env, "0.5")
    other = "sell" if enters == "buy" else "buy"
    opposite = "short" if side == "long" else "long"
    worker_env.entry_alert(hook_id, **strategy_fields(action=enters, market_position=side, market_position_size=5))
    run_until_held(worker_env, 5 * way, 2 * way)
    worker_env.critical_alert(hook_id, **strategy_fields(action=other, market_position=side, market_position_size=3))
    run_until_held(worker_env, 3 * way, way)
    worker_env.entry_alert(hook_id, **strategy_fields(action=other, market_position=opposite, market_position_size=1))
    run_until_held(worker_env, -way, 0)
    action, _, verdict, reason = last_copy(worker_env)
    assert ("CLOSE", "accepted") == (action, verdict)
    assert "copy ratio 0.5 of the position is less than one contract" in reason

    worker_env.entry_alert(hook_id, **strategy_fields(action=enters, market_position=side, market_position_size=4))
    run_until_held(worker_env, 4 * way, 2 * way)
    worker_env.entry_alert(hook_id, **strategy_fields(action=other, market_position=opposite, market_position_size=4))
    run_until_held(worker_env, -4 * way, -2 * way)


def test_a_stale_reversal_to_less_than_one_contract_closes_what_it_reverses(worker_env: WorkerEnv) -> None:
    hook_id = add_hook(worker_env, "0.5")
    worker_env.entry_alert(hook_id, **strategy_fields(action="buy", market_position="long", market_position_size=2))
    run_until_held(worker_env, 2, 1)
    stale = {"market_position": "short", "market_position_size": 1, "timenow": "2026-01-01T00:00:00Z"}
    worker_env.entry_alert(hook_id, **strategy_fields(action="sell", **stale))
    run_until_held(worker_env, 0, 0)

    assert "stale" in last_copy(worker_env)[3]


def test_a_size_by_risk_is_copied_as_money(worker_env: WorkerEnv) -> None:
    risk = HookSettings(size=SizeMode.RISK, size_value=Decimal(100))  # 40 ticks of 0.50 and 2.72 of costs: 22.72 each
    worker_env.entry_alert(add_hook(worker_env, "0.5", risk), stop_loss_ticks=40)
    run_until_held(worker_env, 4, 2)

    assert ("BUY", 2, "accepted", "copy ratio 0.5") == last_copy(worker_env)


def test_a_follower_keeps_the_rules_of_its_own_account(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(add_hook(worker_env, "6"))
    run_until_held(worker_env, 1, 0)

    assert ("BUY", 6, "denied") == last_copy(worker_env)[:3]
    assert "quantity 6 is not between 1 and 5" in last_copy(worker_env)[3]


@pytest.mark.parametrize(("quantity", "own", "copied"), [(5, -1, 0), (9, -5, -2)])
def test_a_copied_reversal_closes_first_on_every_account_and_opens_each_its_share(
    worker_env: WorkerEnv, quantity: int, own: int, copied: int
) -> None:
    """Of 2.5 contracts against 2 the copy closes 2 and opens none; its leader waits for that."""
    hook_id = add_hook(worker_env, "0.5")
    worker_env.entry_alert(hook_id, quantity=4)
    run_until_held(worker_env, 4, 2)
    worker_env.entry_alert(hook_id, action="sell", quantity=quantity)
    run_until_held(worker_env, own, copied)


def test_a_copied_exit_by_a_plain_order_waits_for_no_other_account(worker_env: WorkerEnv) -> None:
    """Each account holds just what the order closes: none of them opens anything against another."""
    hook_id = add_hook(worker_env, "1")
    worker_env.entry_alert(hook_id, quantity=1)
    run_until_held(worker_env, 1, 1)
    job_id = worker_env.entry_alert(hook_id, action="sell", quantity=1)
    in_an_hour = "UPDATE job SET run_at = now() + interval '1 hour' WHERE name = 'alerts.handle_follower_alert'"
    worker_env.execute(in_an_hour)
    while worker_env.job(job_id)[0] == "queued":
        worker_env.run_due_jobs()

    assert "succeeded" == worker_env.job(job_id)[0]
    worker_env.execute(in_an_hour.replace("+ interval '1 hour'", ""))
    run_until_held(worker_env, 0, 0)


def test_alerts_received_before_an_account_left_close_there_by_its_ratio_and_enter_nothing(
    worker_env: WorkerEnv,
) -> None:
    hook_id = add_hook(worker_env, "0.5")
    worker_env.entry_alert(hook_id, quantity=4)
    run_until_held(worker_env, 4, 2)
    worker_env.critical_alert(hook_id, quantity=2)
    worker_env.entry_alert(hook_id, quantity=2)
    with worker_env.ledger.engine.begin() as connection:
        connection.execute(hooks.build_unfollow(hook_id, read_follower(worker_env)))
    worker_env.critical_alert(hook_id)
    run_until_held(worker_env, 0, 1)

    assert ("BUY", "denied") == last_copy(worker_env)[::2]
    assert "the account follows hook" in last_copy(worker_env)[3]


def test_a_copied_market_entry_offsets_an_earlier_one_at_the_ratio_of_each_account(worker_env: WorkerEnv) -> None:
    hook_id = add_hook(worker_env, "2")
    worker_env.entry_alert(hook_id)
    run_until_held(worker_env, 1, 2)
    worker_env.entry_alert(hook_id)
    worker_env.execute("UPDATE job SET run_at = now() + interval '1 hour' WHERE state = 'queued'")
    worker_env.entry_alert(hook_id, action="sell", quantity=3)
    for (closing,) in worker_env.rows("SELECT id FROM job WHERE name = 'alerts.close_reversed' AND state = 'queued'"):
        run_next(worker_env, closing)
    plans = "SELECT quantity_closing, quantity_opening FROM entry_reversal ORDER BY quantity_closing"
    assert [(1, 1), (2, 2)] == worker_env.rows(plans)
    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    run_until_held(worker_env, -1, -2)
