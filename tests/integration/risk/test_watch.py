"""The watch: equity against the rule book in real time, and the actions that follow."""

from threading import Thread

import psycopg

from shared.db.accounts import accounts
from shared.db.risk.account_books import usable_book_of
from shared.ledger.jobs.orders import ReconcileAccounts, ReducePosition
from tests.fixtures.entries import PLACE
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ
from tests.fixtures.watched_position import entry_price, watch_at
from tests.fixtures.worker_env import WorkerEnv

EVENTS = "SELECT kind, message FROM account_event ORDER BY id"


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


def test_a_reduction_leaves_half_also_if_a_part_was_closed_before_it_was_made(long_two: WorkerEnv) -> None:
    long_two.execute("""UPDATE account SET rule_changes = '{"reduce_at": "0.80"}'""")
    watch_at(long_two, entry_price(long_two) - 420)
    long_two.venue.close_position(1)
    long_two.run_due_jobs()

    assert 1 == long_two.venue.position(MNQ)


def test_a_reduction_closes_no_more_than_half_of_what_is_held_by_then(long_two: WorkerEnv) -> None:
    long_two.execute("""UPDATE account SET rule_changes = '{"reduce_at": "0.80"}'""")
    watch_at(long_two, entry_price(long_two) - 420)
    long_two.venue.trade(size=2)  # by hand, and not reported yet
    long_two.run_due_jobs()

    assert 2 == long_two.venue.position(MNQ)


def test_a_reduction_that_is_requested_again_leaves_what_the_first_one_was_to_leave(long_two: WorkerEnv) -> None:
    long_two.execute("""UPDATE account SET rule_changes = '{"reduce_at": "0.80"}'""")
    low = entry_price(long_two) - 420
    long_two.venue.faults(path=PLACE, kind="reject", count=1, error_code=5, message="outside trading hours")
    watch_at(long_two, low)
    long_two.run_due_jobs()
    long_two.venue.close_position(1)
    long_two.run(ReconcileAccounts())
    long_two.execute("UPDATE orders SET updated_at = updated_at - interval '61 seconds' WHERE state = 'REJECTED'")
    watch_at(long_two, low - 430)
    long_two.run_due_jobs()

    assert [(2,)] == long_two.rows("SELECT count(*)::int FROM account_event WHERE kind = 'reduced'")
    assert 1 == long_two.venue.position(MNQ)


def test_a_reduction_that_the_venue_rejects_is_requested_again_after_a_minute(long_two: WorkerEnv) -> None:
    long_two.execute("""UPDATE account SET rule_changes = '{"reduce_at": "0.80"}'""")
    low = entry_price(long_two) - 420
    long_two.venue.faults(path=PLACE, kind="reject", count=1, error_code=5, message="outside trading hours")
    watch_at(long_two, low)
    long_two.run_due_jobs()
    watch_at(long_two, low)
    long_two.run_due_jobs()
    assert 2 == long_two.venue.position(MNQ)
    assert [("REJECTED",)] == long_two.rows("SELECT state FROM orders WHERE role = 'EXIT'")
    long_two.execute("UPDATE orders SET updated_at = updated_at - interval '61 seconds' WHERE role = 'EXIT'")
    for _ in range(3):
        watch_at(long_two, low)
        long_two.run_due_jobs()

    assert 1 == long_two.venue.position(MNQ)
    assert [(1, 2)] == long_two.rows(
        "SELECT (SELECT count(*)::int FROM reduction), count(*)::int FROM account_event WHERE kind = 'reduced'"
    )


def test_a_rejected_exit_of_a_person_is_no_rejected_reduction(long_two: WorkerEnv) -> None:
    long_two.execute("""UPDATE account SET rule_changes = '{"reduce_at": "0.80"}'""")
    low = entry_price(long_two) - 420
    watch_at(long_two, low)
    long_two.run_due_jobs()
    long_two.venue.faults(path=PLACE, kind="reject", count=1, error_code=5, message="outside trading hours")
    (account,) = long_two.rows("SELECT id FROM account")
    long_two.run(ReducePosition(account_id=account[0], contract_id=MNQ, quantity=1))
    long_two.run_due_jobs()
    long_two.execute("UPDATE orders SET updated_at = updated_at - interval '61 seconds' WHERE state = 'REJECTED'")
    watch_at(long_two, low)
    long_two.run_due_jobs()

    assert [(1,)] == long_two.rows("SELECT count(*)::int FROM orders WHERE state = 'REJECTED'")
    assert 1 == long_two.venue.position(MNQ)


def test_a_watch_that_read_before_another_has_reduced_does_not_reduce_again(long_two: WorkerEnv) -> None:
    long_two.execute("""UPDATE account SET rule_changes = '{"reduce_at": "0.80"}'""")
    low = entry_price(long_two) - 420
    watch_at(long_two, low)
    (made,) = long_two.rows("SELECT account_id, contract_id, trading_day, 1, correlation_id FROM reduction")
    long_two.execute("DELETE FROM reduction")
    late = Thread(target=watch_at, args=(long_two, low))
    with psycopg.connect(long_two.settings.require_database()) as other:
        other.execute("SELECT FROM account FOR UPDATE")
        other.execute("INSERT INTO reduction VALUES (%s, %s, %s, %s, %s)", made)
        late.start()
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        until(lambda: long_two.rows(waiting) != [], 60, "the watch to wait for the account")
        other.commit()
    late.join()

    assert [(1,)] == long_two.rows("SELECT count(*)::int FROM job WHERE name = 'orders.reduce_position'")


def test_a_position_without_a_fresh_price_blocks_entries(long_two: WorkerEnv) -> None:
    long_two.redis.flushdb()
    long_two.watch()

    ((blocked,),) = long_two.rows("SELECT block_reason FROM account")
    assert "without a fresh price" in blocked
    assert 2 == long_two.venue.position(MNQ)


def test_everything_is_flat_by_ten_past_three(long_two: WorkerEnv) -> None:
    """From 15:09:30 in Chicago on: the firm starts ten seconds before its time, and we twenty before the firm."""
    long_two.execute(
        "UPDATE market_clock SET machine_origin_at = now(), market_origin_at = '2026-03-10 20:09:31+00', speed = 1"
    )
    long_two.write_quote(bid=entry_price(long_two))
    long_two.watch()
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
