"""The views of trading, on the rows that a worker has written: alerts, trades and days."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from shared.db.alerts import hooks
from shared.domain.accounts.account_name import shorten_account
from shared.domain.market_data.calendar import CHICAGO, trading_day_at, trading_day_begins
from tests.fixtures.alert_steps import hold, strategy_fields
from tests.fixtures.books import Books
from tests.fixtures.processes import until
from tests.fixtures.venue import RunningVenue, StartVenue
from tests.fixtures.worker_env import WorkerEnv

STEPS = (
    "received_to_decided_ms", "decided_to_submitted_ms", "submitted_to_accepted_ms", "filled_to_guarded_ms",
    "received_to_filled_ms", "received_to_guarded_ms",
)  # fmt: skip


def read_stories(worker_env: WorkerEnv, *columns: str) -> list[tuple[Any, ...]]:
    return worker_env.rows(f"SELECT {', '.join(columns)} FROM alert_story ORDER BY alert_id, account_id")


def test_an_entry_is_one_row_from_its_alert_to_the_guarded_position(worker_env: WorkerEnv) -> None:
    job_id = worker_env.entry_alert(quantity=2)
    before = ("verdict", "signal_verdict", "job_state", "order_state", "order_count", "received_to_decided_ms")
    assert [("accepted", None, "queued", None, 0, None)] == read_stories(worker_env, *before)
    worker_env.run_due_jobs()

    columns = ("verdict", "signal_verdict", "job_state", "role", "side", "contract", "quantity", "order_state")
    assert [("accepted", "accepted", "succeeded", "ENTRY", "BUY", "MNQH6", 2, "FILLED")] == (
        read_stories(worker_env, *columns)
    )
    ((price, average, account, name, found, filled),) = worker_env.rows(
        "SELECT fill_price, average_fill_price, s.account_id, s.account, s.job_id, s.filled_quantity"
        " FROM alert_story s JOIN orders o ON o.id = order_id"
    )
    assert (average, worker_env.venue.account_id, job_id, 2) == (price, account, found, filled)
    assert [name] == [shorten_account(one) for (one,) in worker_env.rows("SELECT name FROM account")]
    ((*steps, guarded_by),) = read_stories(worker_env, *STEPS, "guarded_by")
    assert "the bracket's stop" == guarded_by
    assert all(step >= 0 for step in steps), steps
    ((whole, parts),) = read_stories(
        worker_env, "received_to_filled_ms",
        "received_to_decided_ms + decided_to_submitted_ms + submitted_to_accepted_ms + accepted_to_filled_ms",
    )  # fmt: skip
    assert abs(whole - parts) <= 1


def test_an_alert_without_an_order_says_why(worker_env: WorkerEnv) -> None:
    hook_id = worker_env.add_hook()
    worker_env.execute(
        "INSERT INTO alert (id, hook_id, body, verdict, reason) VALUES (gen_random_uuid(), "
        f"'{hook_id}', '', 'refused', '400 no JSON')"
    )
    columns = ("verdict", "signal_verdict", "job_state", "order_state", "order_count", "reason")
    assert [("refused", None, None, None, 0, "400 no JSON")] == read_stories(worker_env, *columns)
    worker_env.execute("DELETE FROM alert")
    worker_env.entry_alert(hook_id, has_stop=False)
    worker_env.run_due_jobs()

    [(verdict, signal, job, order, _, reason)] = read_stories(worker_env, *columns)
    assert ("accepted", "denied", "failed", "DENIED") == (verdict, signal, job, order)
    assert "the entry has no stop" in reason


def test_the_outcome_stays_when_the_job_was_deleted(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    before = read_stories(worker_env, "order_state", "fill_price", *STEPS)
    worker_env.execute("DELETE FROM job")

    assert before == read_stories(worker_env, "order_state", "fill_price", *STEPS)
    assert [(None,)] == read_stories(worker_env, "job_state")


def test_a_close_shows_its_exit_and_a_reversal_its_entry(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.critical_alert()
    worker_env.run_due_jobs()
    hold(worker_env, 1)
    worker_env.entry_alert(**strategy_fields())
    worker_env.run_due_jobs()

    columns = ("action", "role", "side", "order_state", "filled_quantity")
    shown = read_stories(worker_env, *columns)
    assert [("BUY", "ENTRY", "BUY", "FILLED", 1), ("CLOSE", "EXIT", "SELL", "FILLED", 1)] == shown[:2]
    assert ("BUY", "ENTRY", "BUY", "FILLED", 1) == shown[2]
    ((guarded_by, count),) = worker_env.rows(
        "SELECT guarded_by, order_count FROM alert_story WHERE action = 'CLOSE' AND guarded_at IS NOT NULL"
    )
    assert ("flat" in guarded_by, 1) == (True, count)


def test_a_voided_fill_does_not_count_and_an_unguarded_one_is_not_guarded(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.execute("UPDATE fill SET guarded_at = NULL")
    columns = ("filled_at IS NULL", "guarded_at IS NULL", "guarded_by", "filled_to_guarded_ms")
    assert [(False, True, None, None)] == read_stories(worker_env, *columns)

    worker_env.execute("UPDATE fill SET is_voided = true, guarded_at = now()")
    assert [(True, True, None, None)] == read_stories(worker_env, *columns)


class TestTwoAccounts:
    """An alert of a hook with a follower."""

    @pytest.fixture
    def venue(self, start_venue: StartVenue) -> RunningVenue:
        """A simulator with a practice account and a Combine."""
        return start_venue(options=("--accounts", "50KTC"))

    def test_each_account_has_a_row_of_its_own_and_a_later_follower_has_none(self, worker_env: WorkerEnv) -> None:
        own = worker_env.venue.account_id
        ((other,),) = worker_env.rows("SELECT id FROM account WHERE id <> %s", own)
        hook_id = worker_env.add_hook()
        worker_env.entry_alert(hook_id, quantity=1)
        with worker_env.ledger.engine.begin() as connection:
            hooks.set_followers(connection, hook_id, {other: Decimal(1)})
        worker_env.entry_alert(hook_id, quantity=1)
        assert 3 == len(read_stories(worker_env, "alert_id"))

        def is_done() -> bool:
            worker_env.write_quote()
            worker_env.run_due_jobs()
            return not worker_env.rows("SELECT 1 FROM job WHERE state IN ('queued', 'running') LIMIT 1")

        until(is_done, what="the end of every job")
        columns = ("account_id", "order_state", "job_state")
        expected = [(own, "FILLED", "succeeded"), *((one, "FILLED", "succeeded") for one in sorted((own, other)))]
        assert expected == read_stories(worker_env, *columns)
        assert 3 == len(set(read_stories(worker_env, "order_id")))


def test_a_trade_shows_names_and_results_and_its_day(books: Books) -> None:
    books.fill(1, "BUY", 2, 20000)
    books.fill(2, "SELL", 2, "20010.25", 41)
    books.fill(3, "SELL", 1, 20000, "-5")  # of a position from before the first fill
    books.book()

    columns = "direction, quantity, entry_price, exit_price, gross, costs, net, held_for, strategy, root, trading_day"
    day = date(2026, 3, 10)
    assert [
        ("LONG", 2, 20000, Decimal("20010.25"), 41, Decimal("2.44"), Decimal("38.56"), timedelta(minutes=1), "unknown",
         "MNQ", day),
        ("LONG", 1, Decimal("20002.5"), 20000, -5, Decimal("0.61"), Decimal("-5.61"), None, "unknown", "MNQ", day),
    ] == books.worker_env.rows(f"SELECT {columns} FROM trade ORDER BY closed_market_at")  # fmt: skip
    assert books.worker_env.rows("SELECT account, contract FROM trade LIMIT 1") == books.worker_env.rows(
        "SELECT short_account(account.name), contract.name FROM account, contract"
        " WHERE contract.root = 'MNQ' AND is_active"
    )


def test_a_day_ends_at_17_in_chicago_and_has_its_trades_and_its_balance(books: Books) -> None:
    worker_env, account_id = books.worker_env, books.worker_env.venue.account_id
    # 22:00 UTC, after seven hours, is 17:00 in Chicago.
    books.fill(1, "BUY", 1, 20000, minute=0)
    books.fill(2, "SELL", 1, "20020.5", 41, minute=419.9)
    books.fill(3, "BUY", 1, 20000, minute=419.95)
    books.fill(4, "SELL", 1, 19995, -10, minute=420)
    books.book()
    worker_env.execute(
        "INSERT INTO account_day (account_id, trading_day, opening_balance, closing_balance, moved)"
        f" VALUES ({account_id}, '2026-03-10', 50000, 49039.78, -1000), ({account_id}, '2026-03-06', 49000, 50000, 0)"
    )
    columns = "trading_day, trade_count, win_count, loss_count, gross, costs, net, balance_result, is_ended"
    days = worker_env.rows(f"SELECT {columns} FROM daily_pnl WHERE trading_day < '2026-03-12' ORDER BY trading_day")

    cents = Decimal("0.01")
    assert [
        (date(2026, 3, 6), 0, 0, 0, 0, 0, 0, 1000, True),
        (date(2026, 3, 10), 1, 1, 0, 41, 122 * cents, 3978 * cents, 3978 * cents, True),
        (date(2026, 3, 11), 1, 0, 1, -10, 122 * cents, -1122 * cents, None, False),
    ] == days


def test_the_day_that_runs_has_the_balance_of_the_account_until_it_has_ended(worker_env: WorkerEnv) -> None:
    worker_env.execute(
        "UPDATE account SET trading_day = '2031-01-06', day_opening_balance = 50000, balance = 50100, moved_today = 40"
    )
    found = "SELECT opening_balance, closing_balance, moved, balance_result, is_ended FROM daily_pnl"
    assert [(50000, 50100, 40, 60, False)] == worker_env.rows(f"{found} WHERE trading_day = '2031-01-06'")
    worker_env.execute(
        "INSERT INTO account_day (account_id, trading_day, opening_balance, closing_balance) "
        "SELECT id, trading_day, 50000, 50090 FROM account"
    )
    assert [(50000, 50090, 0, 90, True)] == worker_env.rows(f"{found} WHERE trading_day = '2031-01-06'")

    worker_env.execute("DELETE FROM account_day")
    worker_env.execute("UPDATE account SET trading_day = NULL")
    assert [] == worker_env.rows(found)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_the_days_and_the_clock_of_sql_are_those_of_the_programs(worker_env: WorkerEnv, zone: str) -> None:
    instants = [
        datetime(2026, month, day, hour, minute, 59, tzinfo=CHICAGO).astimezone(UTC)
        for month, first in ((3, 6), (3, 13), (10, 30), (12, 31))
        for day in range(first, min(first + 4, 32))
        for hour in (0, 2, 16, 17, 23)
        for minute in (0, 59)
    ]
    with worker_env.ledger.engine.begin() as connection:
        connection.exec_driver_sql(f"SET LOCAL TimeZone = '{zone}'")
        days = [
            connection.exec_driver_sql(
                "SELECT trading_day_at(%s), trading_day_begins(trading_day_at(%s))", (at, at)
            ).one()
            for at in instants
        ]
        now, market = connection.exec_driver_sql("SELECT now(), market_now()").one()
        connection.exec_driver_sql(
            "UPDATE market_clock SET machine_origin_at = 'epoch', market_origin_at = 'epoch', speed = 1"
        )
        ((is_now,),) = connection.exec_driver_sql("SELECT market_now() = now()")

    assert [(trading_day_at(at), trading_day_begins(trading_day_at(at))) for at in instants] == [
        tuple(row) for row in days
    ]
    assert abs(worker_env.venue.clock.to_market(now) - market) < timedelta(milliseconds=1)
    assert is_now


@pytest.mark.parametrize(
    "name", ["50KTC-V2-11071849-6001", "PRAC-V2-1-12", "S1MAR2611071849", "A-B-C", "-1234", "A-", "7"]
)
def test_an_account_has_the_short_name_of_the_commands(database_url: str, name: str) -> None:
    with psycopg.connect(database_url) as connection:
        assert (shorten_account(name),) == connection.execute("SELECT short_account(%s)", [name]).fetchone()
