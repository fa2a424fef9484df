"""The watch: equity against the rule book in real time, and the actions that follow."""

from decimal import Decimal
from threading import Thread

import msgspec
import psycopg
import pytest

from shared.clock import machine_now
from shared.db.accounts import accounts
from shared.db.risk.risk_snapshots import usable_book_of
from shared.hot.quotes import HotQuote, quote_key
from shared.ledger.jobs.risk import WatchAccounts
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from workers.risk.confirmation import UNPRICED_FLAT_AFTER
from workers.wiring import open_runner

EVENTS = "SELECT kind, message FROM account_event ORDER BY id"


def entry_price(worker_env: WorkerEnv) -> Decimal:
    price: Decimal = worker_env.rows("SELECT average_fill_price FROM orders WHERE role = 'ENTRY'")[0][0]
    return price


def watch_once_at(worker_env: WorkerEnv, bid: Decimal) -> None:
    """Run the watch once with the quote at `bid`."""
    worker_env.write_quote(bid=bid)
    worker_env.runner.run(worker_env.enqueue(WatchAccounts()))


def watch_at(worker_env: WorkerEnv, bid: Decimal) -> None:
    """Run the watch twice with the quote at `bid`, a second apart."""
    watch_once_at(worker_env, bid)
    worker_env.execute("UPDATE account SET loss_seen_at = loss_seen_at - interval '1 second'")
    watch_once_at(worker_env, bid)


def write_false_quote(worker_env: WorkerEnv, bid: str, ask: str, traded: Decimal) -> None:
    """Write a quote of MNQ as the feed does, with the last trade beside it."""
    now = machine_now()
    quote = HotQuote(bid=Decimal(bid), ask=Decimal(ask), received_at=now, traded=traded, trade_received_at=now)
    worker_env.redis.set(quote_key(MNQ), msgspec.json.encode(quote))


@pytest.fixture
def long_two(worker_env: WorkerEnv) -> WorkerEnv:
    """Long two MNQ, 4 dollars a point, under rules with an allowance of 2,000 dollars and no daily loss limit."""
    worker_env.execute(
        """UPDATE account SET preset = 'combine-50k', day_opening_balance = 50000, high_water_mark = 50000"""
    )
    worker_env.entry_alert(quantity=2, stop_loss_ticks=1000)
    worker_env.run_due_jobs()
    assert 2 == worker_env.venue.position(MNQ)
    return worker_env


def test_half_the_allowance_used_blocks_no_entries(long_two: WorkerEnv) -> None:
    watch_at(long_two, entry_price(long_two) - 270)

    assert [] == long_two.rows("SELECT 1 FROM flatten_request")
    assert [(None,)] == long_two.rows("SELECT block_reason FROM account")


def test_three_quarters_of_the_allowance_used_block_entries_with_rule_figures_and_end(
    long_two: WorkerEnv,
) -> None:
    low = entry_price(long_two) - 400
    watch_at(long_two, low)

    ((blocked,),) = long_two.rows("SELECT block_reason FROM account")
    assert "max loss limit: 1,60" in blocked
    assert ["blocked"] == [kind for kind, _ in long_two.rows(EVENTS)]
    refused = long_two.entry_alert()
    long_two.write_quote(bid=low)
    long_two.runner.run(refused)
    error = long_two.job(refused)[2] or ""
    assert "block_at is 75" in error
    assert "lifts 2026-03-10 17:00:00 Chicago" in error


def test_ninety_percent_of_the_allowance_used_flatten_before_the_loss_limit(long_two: WorkerEnv) -> None:
    watch_at(long_two, entry_price(long_two) - 460)
    long_two.run_due_jobs()

    assert 0 == long_two.venue.position(MNQ)
    assert [(None,)] == long_two.rows("SELECT breached_market_at FROM account")
    ((reason,),) = long_two.rows("SELECT reason FROM flatten_request WHERE flat_at IS NOT NULL")
    assert "flatten_at is 90" in reason


def test_a_breached_loss_limit_is_permanent(long_two: WorkerEnv) -> None:
    watch_at(long_two, entry_price(long_two) - 510)
    long_two.run_due_jobs()
    refused = long_two.entry_alert()
    long_two.run_due_jobs()

    assert [(True,)] == long_two.rows("SELECT breached_market_at IS NOT NULL FROM account")
    assert "breached for good" in (long_two.job(refused)[2] or "")


def test_a_touched_daily_loss_limit_locks_the_day_and_flattens(long_two: WorkerEnv) -> None:
    long_two.execute("""UPDATE account SET rule_changes = '{"daily_loss_limit": "1000"}'""")
    watch_at(long_two, entry_price(long_two) - 260)
    long_two.run_due_jobs()

    assert 0 == long_two.venue.position(MNQ)
    assert [(True,)] == long_two.rows("SELECT locked_on IS NOT NULL FROM account")


def test_a_reduction_closes_half_once_a_day(long_two: WorkerEnv) -> None:
    long_two.execute("""UPDATE account SET rule_changes = '{"reduce_at": "0.80"}'""")
    low = entry_price(long_two) - 420
    watch_at(long_two, low)
    long_two.run_due_jobs()
    assert 1 == long_two.venue.position(MNQ)
    watch_at(long_two, low)
    long_two.run_due_jobs()

    assert 1 == long_two.venue.position(MNQ)
    assert [("protector",)] == long_two.rows("SELECT origin FROM orders WHERE role = 'EXIT'")


def test_a_watch_that_read_before_another_has_reduced_does_not_reduce_again(long_two: WorkerEnv) -> None:
    long_two.execute("""UPDATE account SET rule_changes = '{"reduce_at": "0.80"}'""")
    low = entry_price(long_two) - 420
    watch_at(long_two, low)
    ((day,),) = long_two.rows("SELECT reduced_on FROM account")
    long_two.execute("UPDATE account SET reduced_on = NULL")
    late = Thread(target=watch_at, args=(long_two, low))
    with psycopg.connect(long_two.settings.require_database()) as other:
        other.execute("UPDATE account SET reduced_on = %s", [day])
        late.start()
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        until(lambda: long_two.rows(waiting) != [], 60, "the watch to wait for the account")
        other.commit()
    late.join()

    assert [(1,)] == long_two.rows("SELECT count(*)::int FROM job WHERE name = 'orders.reduce_position'")


def test_a_position_without_a_fresh_price_blocks_entries(long_two: WorkerEnv) -> None:
    long_two.redis.flushdb()
    long_two.runner.run(long_two.enqueue(WatchAccounts()))

    ((blocked,),) = long_two.rows("SELECT block_reason FROM account")
    assert "without a fresh price" in blocked
    assert 2 == long_two.venue.position(MNQ)


def test_a_loss_that_one_run_alone_sees_ends_nothing(long_two: WorkerEnv) -> None:
    entry = entry_price(long_two)
    watch_once_at(long_two, entry - 600)
    watch_once_at(long_two, entry)
    long_two.run_due_jobs()
    watch_once_at(long_two, entry - 600)
    long_two.run_due_jobs()

    assert 2 == long_two.venue.position(MNQ)
    assert [(None, None, None)] == long_two.rows("SELECT breached_market_at, locked_on, block_reason FROM account")
    assert [] == long_two.rows("SELECT 1 FROM flatten_request")


def test_a_second_run_does_no_more_than_the_first_one_saw(long_two: WorkerEnv) -> None:
    watch_at(long_two, entry_price(long_two) - 400)  # blocks entries
    watch_once_at(long_two, entry_price(long_two) - 600)

    assert [(None,)] == long_two.rows("SELECT breached_market_at FROM account")
    assert [] == long_two.rows("SELECT 1 FROM flatten_request")
    assert "max loss limit" in long_two.rows("SELECT block_reason FROM account")[0][0]


@pytest.mark.parametrize(("bid", "ask"), [("0", "25000.25"), ("21000", "21000.25"), ("25000.1", "25000.25")])
def test_quotes_that_cannot_be_true_end_nothing_however_often_they_come(
    long_two: WorkerEnv, bid: str, ask: str
) -> None:
    for _ in range(6):
        write_false_quote(long_two, bid, ask, traded=entry_price(long_two))
        long_two.runner.run(long_two.enqueue(WatchAccounts()))
        long_two.execute("UPDATE account SET loss_seen_at = loss_seen_at - interval '1 second'")
    long_two.run_due_jobs()

    assert 2 == long_two.venue.position(MNQ)
    assert [(None,)] == long_two.rows("SELECT breached_market_at FROM account")
    assert "without a fresh price" in long_two.rows("SELECT block_reason FROM account")[0][0]


def test_a_position_without_a_price_that_can_be_true_is_closed_after_a_minute(long_two: WorkerEnv) -> None:
    long_two.redis.flushdb()
    long_two.runner.run(long_two.enqueue(WatchAccounts()))
    assert [] == long_two.rows("SELECT 1 FROM flatten_request")
    long_two.execute("UPDATE account SET unpriced_since_at = now() - interval '30 seconds'")
    long_two.runner.run(long_two.enqueue(WatchAccounts()))
    assert [] == long_two.rows("SELECT 1 FROM flatten_request")
    long_two.execute(f"UPDATE account SET unpriced_since_at = now() - interval '{UNPRICED_FLAT_AFTER}'")
    long_two.runner.run(long_two.enqueue(WatchAccounts()))
    long_two.run_due_jobs()

    assert 0 == long_two.venue.position(MNQ)
    ((reason,),) = long_two.rows("SELECT reason FROM flatten_request")
    assert f"no price of {MNQ} that can be true for 60 s" in reason


def test_a_price_that_is_back_ends_the_wait_for_one(long_two: WorkerEnv) -> None:
    long_two.redis.flushdb()
    long_two.runner.run(long_two.enqueue(WatchAccounts()))
    watch_once_at(long_two, entry_price(long_two))

    assert [(None, None)] == long_two.rows("SELECT unpriced_since_at, block_reason FROM account")


def test_an_order_in_a_closed_market_hides_no_loss_in_an_open_one(long_two: WorkerEnv) -> None:
    """The grains close at 13:20 in Chicago, and their orders rest."""
    long_two.execute(
        "UPDATE market_clock SET machine_origin_at = now(), market_origin_at = '2026-03-10 19:00:00+00', speed = 1"
    )
    entry = entry_price(long_two)
    long_two.execute(
        """INSERT INTO orders (id, account_id, contract_id, role, origin, state, side, type, quantity, limit_price,
                               correlation_id, client_order_id, filled_quantity)
           SELECT gen_random_uuid(), account_id, 'CON.F.US.ZCE.K26', 'ENTRY', origin, 'WORKING', 'BUY', 'LIMIT', 1, 400,
                  correlation_id, 'corn', 0 FROM orders WHERE role = 'ENTRY'"""
    )
    with open_runner(long_two.settings, "late/1", program="test") as late:
        for _ in range(2):
            long_two.write_quote(bid=entry - 510)
            late.run(long_two.enqueue(WatchAccounts()))
            long_two.execute("UPDATE account SET loss_seen_at = loss_seen_at - interval '1 second'")

    assert [(True,)] == long_two.rows("SELECT breached_market_at IS NOT NULL FROM account")
    assert [(1,)] == long_two.rows("SELECT count(*)::int FROM flatten_request")


def test_everything_is_flat_by_ten_past_three(long_two: WorkerEnv) -> None:
    """From 15:09:30 in Chicago on: the firm starts ten seconds before its time, and we twenty before the firm."""
    long_two.execute(
        "UPDATE market_clock SET machine_origin_at = now(), market_origin_at = '2026-03-10 20:09:31+00', speed = 1"
    )
    long_two.write_quote(bid=entry_price(long_two))
    with open_runner(long_two.settings, "late/1", program="test") as late:
        late.run(long_two.enqueue(WatchAccounts()))
    long_two.run_due_jobs()

    assert 0 == long_two.venue.position(MNQ)
    ((reason,),) = long_two.rows("SELECT reason FROM flatten_request")
    assert "everything must be flat by 2026-03-10 15:10:00 Chicago" in reason


def test_changes_that_need_each_other_hold_beside_one_that_does_not_apply(long_two: WorkerEnv) -> None:
    """Each share alone would not rise with those of the preset."""
    shares = "'flatten_at', '0.40', 'reduce_at', '0.35', 'block_at', '0.30', 'warn_at', '0.20'"
    long_two.execute(f"UPDATE account SET rule_changes = jsonb_build_object('an old rule', '1', {shares})")
    with long_two.ledger.engine.begin() as connection:
        (account,) = accounts.list_all(connection)

    book = usable_book_of(account)

    assert "an old rule" in (book.invalid_changes or "")
    assert ["0.20", "0.30", "0.35", "0.40"] == [str(share) for share in (
        book.warn_at, book.block_at, book.reduce_at, book.flatten_at)]  # fmt: skip


def test_a_rule_that_does_not_apply_blocks_entries_and_leaves_the_others_to_be_watched(long_two: WorkerEnv) -> None:
    long_two.execute(
        "UPDATE account SET rule_changes = "
        "jsonb_build_object('a rule of another version', '1', 'daily_loss_limit', '300')"
    )
    entry = entry_price(long_two)
    watch_at(long_two, entry)

    ((blocked,),) = long_two.rows("SELECT block_reason FROM account")
    assert "a rule that you set does not apply" in blocked
    assert "a rule of another version" in blocked
    denied = long_two.entry_alert()
    long_two.write_quote(bid=entry)
    long_two.runner.run(denied)
    assert "a rule that you set does not apply" in (long_two.job(denied)[2] or "")
    watch_at(long_two, entry - 80)  # 320 dollars: past the limit that a person set, which still holds
    long_two.run_due_jobs()
    assert 0 == long_two.venue.position(MNQ)
