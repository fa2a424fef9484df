"""The path from an alert to a fill, with every way in which a request or its answer can be lost."""

import pytest

from shared.db.market_data import contracts
from shared.domain.orders.order import OrderState
from shared.ledger.jobs.orders import PlaceOrder, ReconcileAccounts
from tests.fixtures.entries import ENTRY, PLACE, age_in_doubt_order, tags_at_venue
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from workers.venue_wiring import AccountSwitch


def test_an_alert_becomes_a_filled_order_with_a_working_stop_in_our_rows_and_at_the_venue(
    worker_env: WorkerEnv,
) -> None:
    job = worker_env.entry_alert(take_profit_ticks=800)
    worker_env.run_due_jobs()

    assert "succeeded" == worker_env.job(job)[0]
    assert [(OrderState.FILLED, 1)] == [row[:2] for row in worker_env.rows(ENTRY)]
    legs = worker_env.rows(
        "SELECT role, state, type, side, quantity FROM orders WHERE parent_id IS NOT NULL ORDER BY role"
    )
    assert [("STOP_LOSS", "WORKING", "STOP", "SELL", 1), ("TAKE_PROFIT", "WORKING", "LIMIT", "SELL", 1)] == legs
    assert [(1, "BUY")] == worker_env.rows("SELECT quantity, side FROM fill")
    assert [("LONG", 1)] == worker_env.rows("SELECT direction, quantity FROM position")
    assert 1 == worker_env.venue.position(MNQ)
    filled = worker_env.rows("SELECT average_fill_price FROM orders WHERE role = 'ENTRY'")[0][0]
    stop = worker_env.rows("SELECT stop_price FROM orders WHERE role = 'STOP_LOSS'")[0][0]
    assert 100 == filled - stop  # 400 ticks of 0.25


def test_the_jobs_and_rows_of_one_alert_share_a_correlation_id(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    correlation_ids = worker_env.rows(
        "SELECT DISTINCT correlation_id FROM job WHERE name IN "
        "('alerts.handle_alert', 'orders.place_order', 'orders.poll_fills') "
        "UNION SELECT correlation_id FROM orders UNION SELECT correlation_id FROM signal"
    )

    assert 1 == len(correlation_ids)


def test_a_close_alert_leaves_nothing_working_and_nothing_held(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.critical_alert()
    worker_env.run_due_jobs()

    assert 0 == worker_env.venue.position(MNQ)
    assert [("FLAT", 0)] == worker_env.rows("SELECT direction, quantity FROM position")
    assert [] == worker_env.rows("SELECT id FROM orders WHERE state IN ('WORKING', 'SUSPENDED')")


def test_a_position_in_another_month_is_priced_and_closed_too(worker_env: WorkerEnv) -> None:
    old = "CON.F.US.MNQ.Z25"
    worker_env.execute(
        f"INSERT INTO contract (id, name, root, tick_size, tick_value, is_active) SELECT '{old}', 'MNQZ5', root, "
        f"tick_size, tick_value, false FROM contract WHERE id = '{MNQ}'"
    )
    worker_env.execute(
        "INSERT INTO position (account_id, contract_id, direction, quantity, average_price) "
        f"VALUES ({worker_env.venue.account_id}, '{old}', 'LONG', 1, 25000)"
    )
    with worker_env.ledger.engine.begin() as connection:
        assert {MNQ, old} == {one.id for one in contracts.list_watched(connection)}
    closed = worker_env.critical_alert()
    worker_env.run_due_jobs()

    assert f"{old}, {MNQ}" == worker_env.rows("SELECT result ->> 'closes' FROM job WHERE id = %s", closed)[0][0]
    assert {(MNQ, True), (old, True)} == set(
        worker_env.rows("SELECT contract_id, flat_at IS NOT NULL FROM flatten_request")
    )


def test_an_answer_lost_after_placing_is_found_by_its_tag_and_never_sent_again(worker_env: WorkerEnv) -> None:
    worker_env.venue.faults(path=PLACE, kind="lose_answer_after")
    worker_env.entry_alert()
    worker_env.run_due_jobs()

    assert [OrderState.FILLED] == [row[0] for row in worker_env.rows(ENTRY)]
    assert 1 == len(tags_at_venue(worker_env))
    assert 1 == worker_env.venue.position(MNQ)


def test_a_lost_request_is_sent_again_under_the_same_tag(worker_env: WorkerEnv) -> None:
    worker_env.venue.faults(path=PLACE, kind="lose_before")
    worker_env.runner.run(worker_env.entry_alert())
    age_in_doubt_order(worker_env)
    worker_env.run_due_jobs()

    assert [OrderState.FILLED] == [row[0] for row in worker_env.rows(ENTRY)]
    assert 2 == len(tags_at_venue(worker_env))
    assert 1 == len(set(tags_at_venue(worker_env)))
    assert 1 == worker_env.venue.position(MNQ)


def test_a_lost_request_is_not_sent_again_once_the_rules_forbid_it(worker_env: WorkerEnv) -> None:
    worker_env.venue.faults(path=PLACE, kind="lose_before")
    worker_env.runner.run(worker_env.entry_alert())
    age_in_doubt_order(worker_env)
    worker_env.execute("""UPDATE account SET rule_changes = '{"trading_hours": "03:00-03:01"}'""")
    worker_env.run_due_jobs()

    ((state, _, _, reason),) = worker_env.rows(ENTRY)
    assert OrderState.EXPIRED == state
    assert "not sent again: trading hours" in reason
    assert 1 == len(tags_at_venue(worker_env))
    assert 0 == worker_env.venue.position(MNQ)


def test_an_entry_that_could_not_be_sent_at_once_is_not_sent_once_the_rules_forbid_it(worker_env: WorkerEnv) -> None:
    """No login was to be had, or the requests were used up, so it was certainly not sent."""
    worker_env.venue.faults(path=PLACE, kind="lose_before")
    worker_env.runner.run(worker_env.entry_alert())
    worker_env.execute("UPDATE job SET state = 'dead', error = 'a test' WHERE state <> 'succeeded'")
    unsent = "state = 'CREATED', in_doubt_at = NULL, created_at = created_at - interval '6 seconds'"
    worker_env.execute(f"UPDATE orders SET {unsent} WHERE role = 'ENTRY'")
    ((order_id,),) = worker_env.rows("SELECT id FROM orders WHERE role = 'ENTRY'")
    worker_env.enqueue(PlaceOrder(order_id=order_id))
    worker_env.execute("""UPDATE account SET rule_changes = '{"trading_hours": "03:00-03:01"}'""")
    worker_env.run_due_jobs()

    ((state, _, _, reason),) = worker_env.rows(ENTRY)
    assert OrderState.EXPIRED == state
    assert "no longer allowed: trading hours" in reason
    assert 0 == worker_env.venue.position(MNQ)


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_error_is_ambiguous_and_resolved_by_a_search(worker_env: WorkerEnv, status: int) -> None:
    worker_env.venue.faults(path=PLACE, kind="status", status=status)
    worker_env.runner.run(worker_env.entry_alert())
    age_in_doubt_order(worker_env)
    worker_env.run_due_jobs()

    assert [OrderState.FILLED] == [row[0] for row in worker_env.rows(ENTRY)]
    assert 1 == worker_env.venue.position(MNQ)


def test_a_token_that_expires_between_two_calls_causes_a_login(worker_env: WorkerEnv) -> None:
    worker_env.venue.faults(path=PLACE, kind="status", status=401)
    worker_env.entry_alert()
    worker_env.run_due_jobs()

    assert [OrderState.FILLED] == [row[0] for row in worker_env.rows(ENTRY)]
    assert 1 == worker_env.venue.position(MNQ)


def test_an_order_that_the_venue_rejects_is_rejected_with_its_reason(worker_env: WorkerEnv) -> None:
    worker_env.venue.faults(path=PLACE, kind="reject", error_code=2, message="Price is outside allowed range.")
    worker_env.entry_alert()
    worker_env.run_due_jobs()

    ((state, filled, _, reason),) = worker_env.rows(ENTRY)
    assert (OrderState.REJECTED, 0) == (state, filled)
    assert "Price is outside allowed range." in reason
    assert 0 == worker_env.venue.position(MNQ)


def test_an_order_waits_while_the_venue_is_down(worker_env: WorkerEnv) -> None:
    job = worker_env.entry_alert()
    claimed = worker_env.ledger.claim(job, process("test/1"))
    assert claimed is not None
    worker_env.venue.kill()
    worker_env.execute("UPDATE job SET state = 'queued', lease_until = NULL")
    worker_env.runner.run(job)
    worker_env.venue.start()
    worker_env.run_due_jobs()

    assert [OrderState.FILLED] == [row[0] for row in worker_env.rows(ENTRY)]
    assert 1 == worker_env.venue.position(MNQ)


def test_a_second_run_that_finds_the_order_submitting_does_not_send(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    ((order_id,),) = worker_env.rows("SELECT id FROM orders WHERE role = 'ENTRY'")
    sent = len(tags_at_venue(worker_env))
    worker_env.execute("UPDATE orders SET state = 'SUBMITTING', venue_order_id = NULL WHERE role = 'ENTRY'")
    worker_env.run(PlaceOrder(order_id=order_id))

    assert sent == len(tags_at_venue(worker_env))
    assert [OrderState.FILLED] == [row[0] for row in worker_env.rows(ENTRY)]


def test_an_order_in_doubt_blocks_the_next_entry_until_it_is_resolved(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.execute("UPDATE orders SET state = 'IN_DOUBT', venue_order_id = NULL WHERE role = 'ENTRY'")
    second = worker_env.entry_alert()
    worker_env.runner.run(second)

    state, _, error = worker_env.job(second)
    assert "queued" == state
    assert "an order in doubt" in (error or "")
    worker_env.execute("UPDATE orders SET submitted_at = now() - interval '1 minute' WHERE state = 'IN_DOUBT'")
    worker_env.run(ReconcileAccounts())
    worker_env.run_due_jobs()
    assert "succeeded" == worker_env.job(second)[0]
    assert 2 == worker_env.venue.position(MNQ)


def test_an_account_that_was_not_reconciled_since_the_start_enters_nothing(worker_env: WorkerEnv) -> None:
    worker_env.execute("UPDATE account SET reconciled_at = NULL")
    job = worker_env.entry_alert()
    worker_env.runner.run(job)

    state, _, error = worker_env.job(job)
    assert "queued" == state
    assert "not reconciled" in (error or "")
    assert [] == tags_at_venue(worker_env)


def test_an_entry_that_risk_denies_is_recorded_and_never_sent(worker_env: WorkerEnv) -> None:
    job = worker_env.entry_alert(quantity=6)
    worker_env.run_due_jobs()

    state, _, error = worker_env.job(job)
    assert "failed" == state
    assert "quantity 6 is not between 1 and 5 an order" in (error or "")
    assert [("DENIED",)] == worker_env.rows("SELECT state FROM orders")
    assert [("denied",)] == worker_env.rows("SELECT verdict FROM signal")
    assert [] == tags_at_venue(worker_env)


def test_an_expired_entry_is_never_sent(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=6)
    worker_env.run_due_jobs()
    worker_env.execute("UPDATE orders SET state = 'CREATED', expires_at = now() - interval '1 second'")
    worker_env.run(ReconcileAccounts())

    assert [("EXPIRED",)] == worker_env.rows("SELECT state FROM orders")
    assert [] == tags_at_venue(worker_env)


def test_reconcile_run_twice_changes_nothing(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(take_profit_ticks=800)
    worker_env.run_due_jobs()
    everything = "SELECT id, state, filled_quantity FROM orders ORDER BY id"
    before = worker_env.rows(everything), worker_env.rows("SELECT * FROM fill")
    worker_env.run(ReconcileAccounts())

    assert before == (worker_env.rows(everything), worker_env.rows("SELECT * FROM fill"))


def test_every_call_to_the_venue_is_recorded_without_the_key(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    calls = worker_env.rows("SELECT endpoint, status, error FROM api_call")

    assert (PLACE, 200, None) in calls
    assert worker_env.venue.key not in str(calls)


def test_a_rejected_duplicate_of_a_tag_does_not_change_the_accepted_order(
    worker_env: WorkerEnv,
) -> None:
    worker_env.venue.faults(path=PLACE, kind="duplicate")
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.run(ReconcileAccounts())

    assert [(OrderState.FILLED, 1)] == [row[:2] for row in worker_env.rows(ENTRY)]
    assert 1 == worker_env.venue.position(MNQ)
    shown = worker_env.venue.post(
        "/api/Order/search", accountId=worker_env.venue.account_id, startTimestamp="2000-01-01T00:00:00Z"
    )
    at_venue = {row["id"]: row["status"] for row in shown["orders"]}
    here = dict(worker_env.rows("SELECT venue_order_id, state FROM orders"))
    assert set(at_venue) == set(here)
    assert {"REJECTED"} == {here[id_] for id_, status in at_venue.items() if status == 5}


@pytest.mark.parametrize(
    ("columns", "may_enter", "may_close"),
    [
        ("live_orders = false", False, False),
        ("live_orders = true, live_since_at = now()", True, True),
        ("live_orders = false, live_since_at = now()", False, True),
    ],
    ids=["never on", "on", "off again"],
)
def test_the_live_switch_of_an_account_decides_which_orders_pass(
    worker_env: WorkerEnv, columns: str, *, may_enter: bool, may_close: bool
) -> None:
    worker_env.execute(f"UPDATE account SET {columns}")
    switch = AccountSwitch(worker_env.ledger.engine)
    account_id = worker_env.venue.account_id

    assert may_enter is switch.may_send(account_id, is_entry=True)
    assert may_close is switch.may_send(account_id, is_entry=False)
    assert not switch.may_send(1, is_entry=False)
