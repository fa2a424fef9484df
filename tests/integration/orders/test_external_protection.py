"""Stops and targets that a person places in the firm's own screen protect a position; they are no entries."""

from shared.db.accounts import accounts
from shared.db.risk import risk_snapshots
from shared.db.risk.risk_snapshots import RiskSnapshot
from shared.ledger.jobs.accounts import SnapshotAccounts
from shared.ledger.jobs.orders import ReconcileAccounts
from tests.fixtures.hand_orders import place_stop
from tests.fixtures.resting_orders import list_working_orders
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv


def read_snapshot(worker_env: WorkerEnv) -> RiskSnapshot:
    with worker_env.ledger.engine.begin() as connection:
        found = risk_snapshots.read(
            connection, accounts.list_all(connection), worker_env.venue.clock, lambda _: lambda *_: None
        )
    return found[worker_env.venue.account_id]


def test_a_stop_by_hand_that_covers_the_position_is_its_stop_and_the_guard_adds_none(
    bought_by_hand: WorkerEnv,
) -> None:
    assert [1, 4] == sorted(order["type"] for order in list_working_orders(bought_by_hand))
    assert [("an external stop",)] == bought_by_hand.rows("SELECT guarded_by FROM fill")
    assert [] == bought_by_hand.rows("SELECT 1 FROM orders WHERE role = 'STOP_LOSS'")


def test_a_stop_and_a_target_by_hand_are_no_entries_and_the_stop_bounds_the_risk(bought_by_hand: WorkerEnv) -> None:
    risk = read_snapshot(bought_by_hand).risk

    assert () == risk.open_entries
    ((average, stop_price),) = bought_by_hand.rows(
        "SELECT average_price, stop_price FROM position JOIN orders USING (account_id) WHERE type = 'STOP'"
    )
    assert [(average - stop_price) * 2] == [holding.stop_risk for holding in risk.holdings]


def test_an_order_by_hand_that_is_larger_than_the_position_is_an_entry(bought_by_hand: WorkerEnv) -> None:
    place_stop(bought_by_hand, size=2)
    bought_by_hand.run(ReconcileAccounts())

    assert [("SELL", 2)] == [(one.side, one.quantity) for one in read_snapshot(bought_by_hand).risk.open_entries]


def test_a_larger_position_gets_a_second_stop_and_a_closed_one_makes_entries_of_what_rests(
    bought_by_hand: WorkerEnv,
) -> None:
    bought_by_hand.venue.trade()
    bought_by_hand.run(ReconcileAccounts())
    assert [("SELL", 1)] == bought_by_hand.rows("SELECT side, quantity FROM orders WHERE role = 'STOP_LOSS'")

    bought_by_hand.venue.close_position()
    bought_by_hand.run(ReconcileAccounts())
    assert {("SELL", 1)} == {(one.side, one.quantity) for one in read_snapshot(bought_by_hand).risk.open_entries}


def test_a_stop_by_hand_on_another_account_forbids_no_entry_until_its_position_is_closed(
    worker_env: WorkerEnv,
) -> None:
    other = worker_env.venue.control("POST", "accounts", {"stage": "practice", "balance": 50000}).json()["id"]
    worker_env.run(SnapshotAccounts())
    worker_env.venue.trade(accountId=other)
    stop = place_stop(worker_env, accountId=other)
    worker_env.run(ReconcileAccounts())
    allowed = worker_env.entry_alert()
    worker_env.run_due_jobs()
    assert ("succeeded", None) == worker_env.job(allowed)[::2]

    worker_env.venue.post("/api/Position/closeContract", accountId=other, contractId=MNQ)
    worker_env.run(ReconcileAccounts())
    assert 1 == worker_env.venue.post("/api/Order/searchById", accountId=other, orderId=stop)["order"]["status"]
    denied = worker_env.entry_alert()
    worker_env.run_due_jobs()
    assert "another account of yours is SHORT" in (worker_env.job(denied)[2] or "")


def test_an_alert_does_not_move_a_stop_that_was_placed_by_hand(bought_by_hand: WorkerEnv) -> None:
    job = bought_by_hand.critical_alert(action="move_stop", stop_loss_ticks=200)
    bought_by_hand.run_due_jobs()

    assert f"the stop of {MNQ} was placed elsewhere" in (bought_by_hand.job(job)[2] or "")
    assert [] == bought_by_hand.rows("SELECT 1 FROM order_change")
