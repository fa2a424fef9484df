"""The personal limits at the venue: what the watch closes and cancels, and which entries are denied."""

from datetime import timedelta
from decimal import Decimal

from shared.clock import machine_now
from shared.db.accounts import account_reports, accounts
from shared.db.market_data import market_clock
from shared.db.risk import risk_snapshots
from shared.domain.orders.order import OrderType, Side
from shared.ledger.jobs.orders import EnterManually
from tests.fixtures.alert_steps import average, hold
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.watched_position import watch_at, watch_once_at
from tests.fixtures.worker_env import WorkerEnv


def run_at(worker_env: WorkerEnv, bid: Decimal) -> None:
    """Run the watch with the quote at `bid`, then what it has enqueued."""
    watch_at(worker_env, bid)
    worker_env.run_due_jobs()


def denial_of_entry(worker_env: WorkerEnv) -> str:
    """Return why an entry is denied; nothing if it passes."""
    job_id = worker_env.entry_alert()
    worker_env.run_due_jobs()
    state, _, error = worker_env.job(job_id)
    return "" if state == "succeeded" else error or state


def test_a_reached_profit_target_flattens_and_allows_no_entry_that_day(
    long_two: WorkerEnv, operator: RunCommand
) -> None:
    assert 0 == operator("accounts", "rules", "20001", "daily_profit_target=500", "--yes").status
    entry = average(long_two)
    run_at(long_two, entry + 100)
    watch_once_at(long_two, entry + 130)
    assert [(None,)] == long_two.rows("SELECT profit_locked_on FROM account"), "one run alone ends nothing"
    assert 2 == long_two.venue.position(MNQ)
    run_at(long_two, entry + 130)

    assert 0 == long_two.venue.position(MNQ)
    ((reason,),) = long_two.rows("SELECT reason FROM flatten_request WHERE flat_at IS NOT NULL")
    assert "daily profit target: the day's result reached 500.00" in reason
    assert "the day's result reached 500.00" in denial_of_entry(long_two)
    assert "daily_profit_target" in operator("risk").words
    shown = operator("accounts", "show", "20001", "--json").json["account"]
    assert shown["profit_locked_on"] is not None
    long_two.execute("UPDATE account SET profit_locked_on = profit_locked_on - 1, balance = day_opening_balance")
    assert "" == denial_of_entry(long_two)


def test_a_touched_weekly_loss_limit_flattens_and_holds_on_the_next_day(
    long_two: WorkerEnv, operator: RunCommand
) -> None:
    """It is Tuesday: Monday lost 700, and the Friday before does not count."""
    (day,) = long_two.rows("SELECT trading_day FROM account")[0]
    for days, result in ((1, -700), (4, -5000)):
        long_two.execute(
            "INSERT INTO account_day (account_id, trading_day, opening_balance, closing_balance) "
            f"VALUES (20001, '{day - timedelta(days=days)}', 50000, {50000 + result})"
        )
    assert 0 == operator("accounts", "rules", "20001", "weekly_loss_limit=1000").status
    entry = average(long_two)
    run_at(long_two, entry - 60)
    assert 2 == long_two.venue.position(MNQ)
    (account,) = operator("risk", "--json").json["accounts"]
    assert 650 < Decimal({row["rule"]: row["used"] for row in account["rules"]}["weekly_loss_limit"])
    run_at(long_two, entry - 80)

    assert 0 == long_two.venue.position(MNQ)
    ((reason,),) = long_two.rows("SELECT reason FROM flatten_request WHERE flat_at IS NOT NULL")
    assert "weekly loss limit: the week's result touched -1,000.00" in reason
    assert [(day - timedelta(days=1),)] == long_two.rows("SELECT week_locked_on FROM account")
    long_two.execute("DELETE FROM account_day")
    assert "lifts 2026-03-13 17:00:00 Chicago" in denial_of_entry(long_two)
    long_two.execute("UPDATE account SET week_locked_on = week_locked_on - 7, balance = day_opening_balance")
    assert "" == denial_of_entry(long_two)


def test_between_17_00_and_the_next_snapshot_the_day_that_ended_counts_for_the_week(long_two: WorkerEnv) -> None:
    """Its row of account_day is written with the first balance of the new day."""
    long_two.execute("UPDATE account SET trading_day = trading_day - 1, balance = 49400")
    with long_two.ledger.engine.begin() as connection:
        known = accounts.list_all(connection)
        row = market_clock.read(connection)
        assert row is not None
        (snapshot,) = risk_snapshots.read(connection, known, row.clock, lambda _: lambda *_: None).values()

    assert Decimal(-600) == snapshot.risk.earlier_week_result


def test_the_first_report_of_a_day_changes_nothing_of_what_followed_from_the_day_before(long_two: WorkerEnv) -> None:
    """Also while a fall of 2,000 is not settled, which the new day settles."""
    long_two.execute(
        "UPDATE account SET trading_day = trading_day - 1, day_opening_balance = 50000, balance = 48100, "
        "unexplained_balance = 0, pending_balance = -2000, pending_runs = 3"
    )
    with long_two.ledger.engine.begin() as connection:
        clock = market_clock.require(connection).clock

        def read_balances() -> tuple[object, ...]:
            known = accounts.list_all(connection)
            (snapshot,) = risk_snapshots.read(connection, known, clock, lambda _: lambda *_: None).values()
            risk = snapshot.risk
            return risk.day_basis, risk.balance, risk.high_water_mark, risk.days, risk.earlier_week_result

        before = read_balances()
        account_reports.store(
            connection,
            clock.now(),
            account_id=20001,
            name=accounts.list_all(connection)[0].name,
            balance=Decimal(48_100),
            can_trade=True,
            is_simulated=True,
            reported_at=machine_now(),
        )

        assert (Decimal(50_100), Decimal(48_100)) == before[:2]
        assert Decimal(100) == before[4]
        assert before == read_balances()


def test_losing_trades_in_a_row_pause_entries_then_end_the_day(worker_env: WorkerEnv, operator: RunCommand) -> None:
    """Each trade closes two contracts by one order; the costs alone make a loss of a trade that ended even."""
    changed = operator("accounts", "rules", "20001", "max_consecutive_losses=2", "loss_pause=1, 15")
    assert 0 == changed.status, changed
    lose(worker_env)

    assert "loss pause: 1 trade lost in a row" in denial_of_entry(worker_env)
    operator("accounts", "rules", "20001", "loss_pause=none")
    lose(worker_env)
    assert "2 trades lost in a row today, and max_consecutive_losses is 2" in denial_of_entry(worker_env)
    (account,) = operator("risk", "--json").json["accounts"]
    assert "2" == {row["rule"]: row["used"] for row in account["rules"]}["max_consecutive_losses"]
    worker_env.execute("UPDATE fill SET filled_market_at = filled_market_at - interval '1 day'")
    assert "" == denial_of_entry(worker_env)


def test_a_pause_after_losses_cancels_a_resting_entry(worker_env: WorkerEnv, operator: RunCommand) -> None:
    lose(worker_env)
    entry = EnterManually(
        account_id=20001,
        symbol="MNQ",
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=1,
        stop_loss_ticks=40,
        limit_price=str(Decimal(worker_env.rows("SELECT max(price) FROM fill")[0][0]) - 200),
    )
    state, _, error = worker_env.run(entry)
    assert "succeeded" == state, error
    assert 0 == operator("accounts", "rules", "20001", "loss_pause=1, 15").status
    worker_env.write_quote()
    worker_env.watch()
    worker_env.run_due_jobs()

    assert [("CANCELLED",)] == worker_env.rows("SELECT state FROM orders WHERE type = 'LIMIT' AND role = 'ENTRY'")
    ((reason,),) = worker_env.rows(
        "SELECT order_change.reason FROM order_change JOIN orders ON orders.id = order_id WHERE role = 'ENTRY'"
    )
    assert "loss pause: 1 trade lost in a row" in reason


def test_the_contracts_of_a_root_are_limited(long_two: WorkerEnv, operator: RunCommand) -> None:
    assert 0 == operator("accounts", "rules", "20001", "max_by_root=MNQ 3, ES 1").status

    assert "" == denial_of_entry(long_two)
    denied = denial_of_entry(long_two)
    assert "contracts of MNQ: 3 held, 0 working to BUY and 1 requested are more than the 3 of max_by_root" in denied
    assert "contracts of MNQ" in operator("risk").out
    long_two.critical_alert()
    long_two.run_due_jobs()
    assert 0 == long_two.venue.position(MNQ)


def lose(worker_env: WorkerEnv) -> None:
    """Buy two contracts and close them ten points lower."""
    hold(worker_env, 2)
    worker_env.venue.move_price(average(worker_env) - 10)
    worker_env.critical_alert()
    worker_env.run_due_jobs()
    assert 0 == worker_env.venue.position(MNQ)
