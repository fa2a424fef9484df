"""A balance that moves without a trade: a payout, a deposit or a reset is no result, and what is a result stays one."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection

from shared.clock import MarketClock, machine_now
from shared.db.accounts import account_reports, accounts, balance_moves
from shared.db.accounts.accounts import AccountRow
from shared.db.risk import risk_snapshots
from shared.db.risk.account_books import book_of
from shared.domain.risk.account_risk import loss_limit_level
from shared.gateway.wire import VenueFill
from shared.ledger.jobs.accounts import CheckBalance, SnapshotAccounts
from tests.fixtures.alert_steps import hold
from tests.fixtures.venue import MNQ
from tests.fixtures.watched_position import watch_once_at
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.accounts.reports import DAY, MONDAY, report_balance
from workers.accounts.check_balance import settle_balance
from workers.risk.confirmation import SETTLING_RUNS

MOVES = "SELECT amount, origin FROM balance_move"
BALANCE = "SELECT balance - day_opening_balance, moved_today, unexplained_balance, pending_balance FROM account"
HOUR = timedelta(hours=1)


def move_balance(worker_env: WorkerEnv, amount: Decimal) -> None:
    """Move the balance at the venue without a trade, and store its next report."""
    (balance,) = worker_env.rows("SELECT balance FROM account")[0]
    worker_env.venue.set_account(balance=str(balance + amount))
    worker_env.run(SnapshotAccounts())


def watch(worker_env: WorkerEnv) -> None:
    worker_env.write_quote()
    worker_env.watch()


def settle(worker_env: WorkerEnv) -> None:
    """Let the watch see the balance until it asks the venue, and run what it asks."""
    watch(worker_env)
    worker_env.execute(f"UPDATE account SET pending_runs = {SETTLING_RUNS - 1}")
    watch(worker_env)
    worker_env.run_due_jobs()
    watch(worker_env)


def test_a_payout_is_no_result_of_the_day_and_locks_nothing(worker_env: WorkerEnv) -> None:
    worker_env.execute("""UPDATE account SET rule_changes = '{"daily_loss_limit": "1000"}'""")
    watch(worker_env)
    move_balance(worker_env, Decimal(-2_000))
    settle(worker_env)

    assert [(Decimal(-2_000), "found")] == worker_env.rows(MOVES)
    assert [(Decimal(-2_000), Decimal(-2_000), Decimal(0), None)] == worker_env.rows(BALANCE)
    assert [(None, None)] == worker_env.rows("SELECT locked_on, block_reason FROM account")
    assert [("balance_moved",)] == worker_env.rows("SELECT kind FROM account_event")


def test_a_payout_beside_a_position_and_its_costs_is_found_to_the_cent(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    worker_env.run(SnapshotAccounts())
    watch(worker_env)
    move_balance(worker_env, Decimal("-1234.56"))
    settle(worker_env)

    assert [(Decimal("-1234.56"), "found")] == worker_env.rows(MOVES)


def test_a_fill_that_was_never_recorded_explains_a_balance_and_is_recorded(worker_env: WorkerEnv) -> None:
    """Its result is one, and no payout."""
    hold(worker_env, 1)
    worker_env.flatten()
    worker_env.run_due_jobs()
    worker_env.run(SnapshotAccounts())
    worker_env.execute("DELETE FROM fill WHERE gross_pnl IS NOT NULL")
    worker_env.execute("UPDATE account SET unexplained_balance = 0")
    settle(worker_env)

    assert [] == worker_env.rows(MOVES)
    assert [(1,)] == worker_env.rows("SELECT count(*) FROM fill WHERE gross_pnl IS NOT NULL")
    assert [(None, 0)] == worker_env.rows("SELECT pending_balance, pending_runs FROM account")


def test_a_balance_that_an_unknown_product_may_explain_counts_as_a_result(worker_env: WorkerEnv) -> None:
    watch(worker_env)
    move_balance(worker_env, Decimal(-300))
    watch(worker_env)
    account_id = worker_env.venue.account_id
    fill = VenueFill(
        id=1,
        account_id=account_id,
        order_id=1,
        contract_id="CON.F.US.NEWS.Z26",
        side=None,
        quantity=1,
        price=Decimal(1),
        gross_pnl=Decimal(-300),
        fees=Decimal(0),
        commissions=Decimal(0),
        is_voided=False,
        filled_market_at=worker_env.venue.clock.now(),
    )
    with worker_env.ledger.engine.begin() as connection:
        job = CheckBalance(account_id=account_id, pending_balance=Decimal(-300), amount=Decimal(-300))
        assert {"result": "-300"} == settle_balance(connection, job, [fill], worker_env.venue.clock.now())
    watch(worker_env)

    assert [] == worker_env.rows(MOVES)
    assert [(Decimal(-300), Decimal(0), Decimal(-300), None)] == worker_env.rows(BALANCE)
    (message,) = worker_env.rows("SELECT message FROM account_event")[0]
    assert "-300.00 that fills of CON.F.US.NEWS.Z26 may explain" in message


def test_a_balance_that_has_changed_since_is_settled_anew(worker_env: WorkerEnv) -> None:
    watch(worker_env)
    move_balance(worker_env, Decimal(-300))
    watch(worker_env)
    amount = Decimal(-299)
    request = CheckBalance(account_id=worker_env.venue.account_id, pending_balance=amount, amount=amount)

    assert ("succeeded", {"balance": "has changed since"}, None) == worker_env.run(request)
    assert [] == worker_env.rows(MOVES)


def test_a_move_that_a_late_fill_explains_takes_itself_back(worker_env: WorkerEnv) -> None:
    watch(worker_env)
    for amount in (-500, 500):
        move_balance(worker_env, Decimal(amount))
        settle(worker_env)

    assert [(Decimal(-500), "found"), (Decimal(500), "found")] == worker_env.rows(f"{MOVES} ORDER BY id")
    assert [(Decimal(0), Decimal(0), Decimal(0), None)] == worker_env.rows(BALANCE)


def test_a_loss_beside_a_payout_still_locks_the_day(worker_env: WorkerEnv) -> None:
    worker_env.execute("""UPDATE account SET rule_changes = '{"daily_loss_limit": "1000"}'""")
    hold(worker_env, 2)
    worker_env.run(SnapshotAccounts())
    watch(worker_env)
    move_balance(worker_env, Decimal(-2_000))
    settle(worker_env)
    entry: Decimal = worker_env.rows("SELECT average_fill_price FROM orders WHERE role = 'ENTRY'")[0][0]
    for _ in range(2):
        watch_once_at(worker_env, entry - 255)  # 1,020 dollars
        worker_env.execute("UPDATE account SET losses_seen_at = losses_seen_at - interval '1 second'")

    assert [(True,)] == worker_env.rows("SELECT locked_on IS NOT NULL FROM account")
    worker_env.run_due_jobs()
    assert 0 == worker_env.venue.position(MNQ)


def move_by(connection: Connection, row: AccountRow, amount: str) -> AccountRow:
    assert row.trading_day is not None
    values = balance_moves.change_by_move(connection, row, Decimal(amount), row.trading_day)
    balance_moves.record(connection, row, Decimal(amount), day=row.trading_day, origin="found", values=values)
    found = accounts.get(connection, row.id)
    assert found is not None
    return found


def test_the_result_of_a_day_with_a_payout_is_that_of_its_trades(connection: Connection) -> None:
    name = "EXPRESSJUL2400000001"
    report_balance(connection, MONDAY, "5000", name)
    move_by(connection, report_balance(connection, MONDAY + HOUR, "3300", name), "-2000")
    tuesday = report_balance(connection, MONDAY + DAY, "3300", name)

    days = account_reports.list_days(connection, 1)
    assert [Decimal(300)] == [result for _, result in days]
    assert (Decimal(0), Decimal(3_300)) == (tuesday.moved_today, tuesday.day_opening_balance)


@pytest.mark.parametrize(
    ("name", "before", "amount", "expected"),
    [
        ("EXPRESSJUL2400000001", "5000", "-2000", True),
        ("EXPRESSJUL2400000001", "500", "-600", False),  # no payout leaves a loss
        ("EXPRESSJUL2400000001", "5000", "-20", False),  # a fee
        ("EXPRESSJUL2400000001", "5000", "2000", False),
        ("50KTC-V2-1", "55000", "-2000", False),
    ],
)
def test_the_first_payout_of_an_express_account_sets_its_loss_limit_level_to_its_start(
    connection: Connection, name: str, before: str, amount: str, *, expected: bool
) -> None:
    report_balance(connection, MONDAY, before, name)
    after = str(Decimal(before) + Decimal(amount))
    row = move_by(connection, report_balance(connection, MONDAY + HOUR, after, name), amount)

    assert expected == book_of(row).has_been_paid
    assert not book_of(replace(row, rule_changes={"has_been_paid": "no"})).has_been_paid
    taken_back = move_by(connection, row, str(-Decimal(amount)))
    assert not book_of(taken_back).has_been_paid


@pytest.mark.parametrize(("reported", "seen"), [("4800", Decimal(0)), ("5000", Decimal(0)), ("5200", None)])
def test_a_balance_that_fell_between_two_days_is_looked_into(
    connection: Connection, reported: str, seen: Decimal | None
) -> None:
    name = "EXPRESSJUL2400000001"
    report_balance(connection, MONDAY, "5000", name)
    tuesday = report_balance(connection, MONDAY + DAY, reported, name)

    assert seen == tuesday.unexplained_balance


def test_the_days_since_the_last_payout_lead_to_the_next(connection: Connection) -> None:
    name = "EXPRESSJUL2400000001"
    for number, balance in enumerate(("5000", "5200", "5500")):
        report_balance(connection, MONDAY + number * DAY, balance, name)
    row = move_by(connection, report_balance(connection, MONDAY + 2 * DAY + HOUR, "3500", name), "-2000")
    report_balance(connection, MONDAY + 3 * DAY, "3500", name)
    row = report_balance(connection, MONDAY + 3 * DAY + HOUR, "3700", name)
    clock = MarketClock(machine_now(), MONDAY + 3 * DAY + HOUR)
    risk = risk_snapshots.read(connection, [row], clock, lambda _: lambda *_: None)[1].risk

    assert (3, ()) == (len(risk.days), risk.days_since_payout)
    assert Decimal(0) == loss_limit_level(risk, book_of(row))


def test_a_payout_that_is_taken_back_leaves_the_one_before_as_the_last(connection: Connection) -> None:
    name = "EXPRESSJUL2400000001"
    report_balance(connection, MONDAY, "5000", name)
    monday = move_by(connection, report_balance(connection, MONDAY + HOUR, "4000", name), "-1000").trading_day
    report_balance(connection, MONDAY + DAY, "4000", name)
    row = move_by(connection, report_balance(connection, MONDAY + DAY + HOUR, "3700", name), "-300")
    assert row.trading_day == row.last_paid_on

    assert monday == move_by(connection, row, "300").last_paid_on


def test_a_payout_that_is_not_settled_at_the_end_of_a_day_is_left_to_the_next(connection: Connection) -> None:
    name = "EXPRESSJUL2400000001"
    report_balance(connection, MONDAY, "5000", name)
    row = report_balance(connection, MONDAY + HOUR, "3000", name)
    accounts.change(connection, row.id, unexplained_balance=0, pending_balance=Decimal(-2_000), pending_runs=3)
    tuesday = report_balance(connection, MONDAY + DAY, "3000", name)

    assert [Decimal(0)] == [result for _, result in account_reports.list_days(connection, 1)]
    assert (Decimal(5_000), Decimal(0)) == (tuesday.day_opening_balance, tuesday.unexplained_balance)


def test_a_fill_whose_result_came_late_is_recorded_and_no_payout(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.flatten()
    worker_env.run_due_jobs()
    worker_env.run(SnapshotAccounts())
    results = "SELECT gross_pnl, fees FROM fill ORDER BY venue_fill_id"
    before = worker_env.rows(results)
    worker_env.execute("UPDATE fill SET gross_pnl = NULL, fees = 0")
    worker_env.execute("UPDATE account SET unexplained_balance = 0")
    settle(worker_env)

    assert [] == worker_env.rows(MOVES)
    assert before == worker_env.rows(results)


def test_a_new_day_of_which_no_balance_is_known_settles_nothing(worker_env: WorkerEnv) -> None:
    watch(worker_env)
    worker_env.execute("UPDATE account SET trading_day = trading_day - 1, unexplained_balance = 800")
    settle(worker_env)

    assert [] == worker_env.rows(MOVES)
    assert [(Decimal(800), None)] == worker_env.rows("SELECT unexplained_balance, pending_balance FROM account")


def test_an_amount_that_the_venue_cannot_explain_in_time_counts_as_a_result_and_is_told(worker_env: WorkerEnv) -> None:
    watch(worker_env)
    move_balance(worker_env, Decimal(-300))
    watch(worker_env)
    worker_env.execute(f"UPDATE account SET pending_runs = {2 * SETTLING_RUNS}")
    watch(worker_env)

    assert [(Decimal(-300), None)] == worker_env.rows("SELECT unexplained_balance, pending_balance FROM account")
    (message,) = worker_env.rows("SELECT message FROM account_event WHERE kind = 'balance_unexplained'")[0]
    assert "`tickwork accounts balance-move" in message
