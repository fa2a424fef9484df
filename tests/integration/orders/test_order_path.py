"""From an alert to a fill, and every way in which the venue's answer may go astray on the way."""

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.clock import machine_now
from shared.db.accounts import accounts
from shared.db.market_data import contracts
from shared.domain.orders.order import Direction, OrderState, Side
from shared.gateway.wire import VenueFill, VenuePosition
from shared.ledger.jobs.orders import PlaceOrder, ReconcileAccounts
from tests.fixtures.entries import ENTRY, PLACE, believe_absence, tags_at_venue
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from workers.orders.reconcile_account import halt_on_external_orders
from workers.orders.venue_state import VenueView, apply
from workers.wiring import AccountSwitch


def test_an_alert_becomes_a_filled_order_with_a_working_stop_here_and_at_the_venue_alike(worker_env: WorkerEnv) -> None:
    job = worker_env.alert(take_profit_ticks=800)
    worker_env.work()

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


def test_one_story_shares_one_correlation_id(worker_env: WorkerEnv) -> None:
    worker_env.alert()
    worker_env.work()
    stories = worker_env.rows(
        "SELECT DISTINCT correlation_id FROM job WHERE name IN "
        "('alerts.handle_alert', 'orders.place_order', 'orders.poll_fills') "
        "UNION SELECT correlation_id FROM orders UNION SELECT correlation_id FROM signal"
    )

    assert 1 == len(stories)


def test_a_close_alert_leaves_nothing_working_and_nothing_held(worker_env: WorkerEnv) -> None:
    worker_env.alert()
    worker_env.work()
    worker_env.alert(action="close")
    worker_env.work()

    assert 0 == worker_env.venue.position(MNQ)
    assert [("FLAT", 0)] == worker_env.rows("SELECT direction, quantity FROM position")
    assert [] == worker_env.rows("SELECT id FROM orders WHERE state IN ('WORKING', 'SUSPENDED')")


def test_what_is_held_of_another_month_is_priced_and_closed_too(worker_env: WorkerEnv) -> None:
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
        assert {MNQ, old} == {one.id for one in contracts.watched(connection)}
    closed = worker_env.alert(action="close")
    worker_env.work()

    assert f"{MNQ}, {old}" == worker_env.rows("SELECT result ->> 'closes' FROM job WHERE id = %s", closed)[0][0]
    assert {(MNQ, True), (old, True)} == set(
        worker_env.rows("SELECT contract_id, flat_at IS NOT NULL FROM flatten_request")
    )


def test_an_answer_lost_after_placing_is_found_by_its_tag_and_never_sent_again(worker_env: WorkerEnv) -> None:
    worker_env.venue.faults(path=PLACE, kind="lose_answer_after")
    worker_env.alert()
    worker_env.work()

    assert [OrderState.FILLED] == [row[0] for row in worker_env.rows(ENTRY)]
    assert 1 == len(tags_at_venue(worker_env))
    assert 1 == worker_env.venue.position(MNQ)


def test_a_request_lost_on_its_way_goes_out_again_under_the_same_tag(worker_env: WorkerEnv) -> None:
    worker_env.venue.faults(path=PLACE, kind="lose_before")
    worker_env.runner.run(worker_env.alert())
    believe_absence(worker_env)
    worker_env.work()

    assert [OrderState.FILLED] == [row[0] for row in worker_env.rows(ENTRY)]
    assert 2 == len(tags_at_venue(worker_env))
    assert 1 == len(set(tags_at_venue(worker_env)))
    assert 1 == worker_env.venue.position(MNQ)


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_error_is_ambiguous_and_settled_by_looking(worker_env: WorkerEnv, status: int) -> None:
    worker_env.venue.faults(path=PLACE, kind="status", status=status)
    worker_env.runner.run(worker_env.alert())
    believe_absence(worker_env)
    worker_env.work()

    assert [OrderState.FILLED] == [row[0] for row in worker_env.rows(ENTRY)]
    assert 1 == worker_env.venue.position(MNQ)


def test_a_token_that_ends_between_two_calls_costs_a_login(worker_env: WorkerEnv) -> None:
    worker_env.venue.faults(path=PLACE, kind="status", status=401)
    worker_env.alert()
    worker_env.work()

    assert [OrderState.FILLED] == [row[0] for row in worker_env.rows(ENTRY)]
    assert 1 == worker_env.venue.position(MNQ)


def test_what_the_venue_rejects_is_rejected_here_with_its_words(worker_env: WorkerEnv) -> None:
    worker_env.venue.faults(path=PLACE, kind="reject", error_code=2, message="Price is outside allowed range.")
    worker_env.alert()
    worker_env.work()

    ((state, filled, _, reason),) = worker_env.rows(ENTRY)
    assert (OrderState.REJECTED, 0) == (state, filled)
    assert "Price is outside allowed range." in reason
    assert 0 == worker_env.venue.position(MNQ)


def test_a_venue_that_is_down_is_certainly_not_reached_and_the_order_waits(worker_env: WorkerEnv) -> None:
    job = worker_env.alert()
    claimed = worker_env.ledger.claim(job, "test/1")
    assert claimed is not None
    worker_env.venue.kill()
    worker_env.execute("UPDATE job SET state = 'queued', lease_until = NULL")
    worker_env.runner.run(job)
    worker_env.venue.start()
    worker_env.work()

    assert [OrderState.FILLED] == [row[0] for row in worker_env.rows(ENTRY)]
    assert 1 == worker_env.venue.position(MNQ)


def test_a_second_run_that_finds_the_order_submitting_does_not_send(worker_env: WorkerEnv) -> None:
    worker_env.alert()
    worker_env.work()
    ((order_id,),) = worker_env.rows("SELECT id FROM orders WHERE role = 'ENTRY'")
    sent = len(tags_at_venue(worker_env))
    worker_env.execute("UPDATE orders SET state = 'SUBMITTING', venue_order_id = NULL WHERE role = 'ENTRY'")
    worker_env.do(PlaceOrder(order_id=order_id))

    assert sent == len(tags_at_venue(worker_env))
    assert [OrderState.FILLED] == [row[0] for row in worker_env.rows(ENTRY)]


def test_an_unknown_order_blocks_the_next_entry_until_it_is_settled(worker_env: WorkerEnv) -> None:
    worker_env.alert()
    worker_env.work()
    worker_env.execute("UPDATE orders SET state = 'IN_DOUBT', venue_order_id = NULL WHERE role = 'ENTRY'")
    second = worker_env.alert()
    worker_env.runner.run(second)

    state, _, error = worker_env.job(second)
    assert "queued" == state
    assert "fate is unknown" in (error or "")
    worker_env.execute("UPDATE orders SET submitted_at = now() - interval '1 minute' WHERE state = 'IN_DOUBT'")
    worker_env.do(ReconcileAccounts())
    worker_env.work()
    assert "succeeded" == worker_env.job(second)[0]
    assert 2 == worker_env.venue.position(MNQ)


def test_an_account_that_was_not_reconciled_since_the_start_enters_nothing(worker_env: WorkerEnv) -> None:
    worker_env.execute("UPDATE account SET reconciled_at = NULL")
    job = worker_env.alert()
    worker_env.runner.run(job)

    state, _, error = worker_env.job(job)
    assert "queued" == state
    assert "not reconciled" in (error or "")
    assert [] == tags_at_venue(worker_env)


def test_what_risk_refuses_is_kept_as_refused_and_never_sent(worker_env: WorkerEnv) -> None:
    job = worker_env.alert(quantity=6)
    worker_env.work()

    state, _, error = worker_env.job(job)
    assert "failed" == state
    assert "quantity 6 is not between 1 and 5 an order" in (error or "")
    assert [("DENIED",)] == worker_env.rows("SELECT state FROM orders")
    assert [("denied",)] == worker_env.rows("SELECT verdict FROM signal")
    assert [] == tags_at_venue(worker_env)


def test_an_order_placed_elsewhere_is_adopted_as_external(worker_env: WorkerEnv) -> None:
    worker_env.venue.trade()
    worker_env.do(ReconcileAccounts())

    assert [("EXTERNAL", "FILLED")] == worker_env.rows("SELECT origin, state FROM orders WHERE role = 'OTHER'")
    assert [("LONG", 1)] == worker_env.rows("SELECT direction, quantity FROM position")


def test_an_entry_whose_time_is_over_is_never_sent(worker_env: WorkerEnv) -> None:
    worker_env.alert(quantity=6)
    worker_env.work()
    worker_env.execute("UPDATE orders SET state = 'CREATED', expires_at = now() - interval '1 second'")
    worker_env.do(ReconcileAccounts())

    assert [("EXPIRED",)] == worker_env.rows("SELECT state FROM orders")
    assert [] == tags_at_venue(worker_env)


def test_reconcile_run_twice_changes_nothing(worker_env: WorkerEnv) -> None:
    worker_env.alert(take_profit_ticks=800)
    worker_env.work()
    everything = "SELECT id, state, filled_quantity FROM orders ORDER BY id"
    before = worker_env.rows(everything), worker_env.rows("SELECT * FROM fill")
    worker_env.do(ReconcileAccounts())

    assert before == (worker_env.rows(everything), worker_env.rows("SELECT * FROM fill"))


def test_every_call_to_the_venue_is_written_down_without_the_key(worker_env: WorkerEnv) -> None:
    worker_env.alert()
    worker_env.work()
    calls = worker_env.rows("SELECT endpoint, status, error FROM api_call")

    assert (PLACE, 200, None) in calls
    assert worker_env.venue.key not in str(calls)


def test_what_an_account_holds_of_an_unknown_product_does_not_stop_the_rest(worker_env: WorkerEnv) -> None:
    worker_env.alert()
    worker_env.work()
    shown = VenueFill(
        9, 8, worker_env.venue.account_id, MNQ, Side.BUY, 1, Decimal(20_000), None, Decimal(0), Decimal(0),
        is_voided=False, filled_market_at=machine_now(),
    )  # fmt: skip
    with worker_env.ledger.transaction() as tx:
        stranger = replace(shown, id=10, contract_id="CON.F.US.NEWS.Z26")
        apply(tx, VenueView(worker_env.venue.account_id, [], [shown, stranger], []))

    assert [(MNQ, "LONG", 2)] == worker_env.rows("SELECT contract_id, direction, quantity FROM position")


def test_holding_a_product_that_we_do_not_know_halts_the_account_and_names_it(worker_env: WorkerEnv) -> None:
    def look(*contract_ids: str) -> None:
        account_id = worker_env.venue.account_id
        held = [
            VenuePosition(7, account_id, one, Direction.LONG, 1, Decimal(100), machine_now()) for one in contract_ids
        ]
        with worker_env.ledger.transaction() as tx:
            account = accounts.get(tx.connection, account_id)
            assert account is not None
            halt_on_external_orders(tx.connection, account, VenueView(account_id, [], [], held))

    look(MNQ)
    assert [(None,)] == worker_env.rows("SELECT halt_reason FROM account")
    look(MNQ, "CON.F.US.NEWS.Z26")
    ((reason,),) = worker_env.rows("SELECT halt_reason FROM account")
    assert "it holds CON.F.US.NEWS.Z26, a product that we do not know" in reason


def test_a_tag_that_arrived_twice_is_the_accepted_order_and_the_rejected_one_changes_nothing(
    worker_env: WorkerEnv,
) -> None:
    worker_env.venue.faults(path=PLACE, kind="duplicate")
    worker_env.alert()
    worker_env.work()
    worker_env.do(ReconcileAccounts())

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
def test_an_accounts_live_switch_lets_through_what_it_says(
    worker_env: WorkerEnv, columns: str, *, may_enter: bool, may_close: bool
) -> None:
    worker_env.execute(f"UPDATE account SET {columns}")
    switch = AccountSwitch(worker_env.ledger.engine)
    account_id = worker_env.venue.account_id

    assert may_enter is switch.lets_through(account_id, is_entry=True)
    assert may_close is switch.lets_through(account_id, is_entry=False)
    assert not switch.lets_through(1, is_entry=False)
