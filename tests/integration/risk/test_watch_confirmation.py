"""What the watch believes and confirms: losses seen twice, prices that can be true, and facts that are missing."""

from decimal import Decimal

import msgspec
import pytest

from shared.clock import machine_now
from shared.hot.quotes import HotQuote, quote_key
from tests.fixtures.venue import MNQ
from tests.fixtures.watched_position import entry_price, watch_at, watch_once_at
from tests.fixtures.worker_env import WorkerEnv
from workers.risk.confirmation import UNPRICED_RUNS


def write_false_quote(worker_env: WorkerEnv, bid: str, ask: str, traded: Decimal) -> None:
    """Write a quote of MNQ as the feed does, with the last trade beside it."""
    now = machine_now()
    quote = HotQuote(bid=Decimal(bid), ask=Decimal(ask), received_at=now, traded=traded, trade_received_at=now)
    worker_env.redis.set(quote_key(MNQ), msgspec.json.encode(quote))


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
        long_two.watch()
        long_two.execute("UPDATE account SET losses_seen_at = losses_seen_at - interval '1 second'")
    long_two.run_due_jobs()

    assert 2 == long_two.venue.position(MNQ)
    assert [(None,)] == long_two.rows("SELECT breached_market_at FROM account")
    assert "without a fresh price" in long_two.rows("SELECT block_reason FROM account")[0][0]


def test_a_position_without_a_price_that_can_be_true_is_closed_after_a_minute(long_two: WorkerEnv) -> None:
    """By the runs of the watch: a computer that slept has not watched, and its quotes come back."""
    long_two.redis.flushdb()
    long_two.watch()
    assert [(1,)] == long_two.rows("SELECT unpriced_runs FROM account")
    long_two.execute(f"UPDATE account SET unpriced_runs = {UNPRICED_RUNS - 2}")
    long_two.watch()
    assert [] == long_two.rows("SELECT 1 FROM flatten_request")
    long_two.watch()
    long_two.run_due_jobs()

    assert 0 == long_two.venue.position(MNQ)
    ((reason,),) = long_two.rows("SELECT reason FROM flatten_request")
    assert f"no price of {MNQ} that can be true in {UNPRICED_RUNS} runs of the watch" in reason


def test_a_price_that_is_back_ends_the_wait_for_one(long_two: WorkerEnv) -> None:
    long_two.redis.flushdb()
    long_two.watch()
    watch_once_at(long_two, entry_price(long_two))

    assert [(0, None)] == long_two.rows("SELECT unpriced_runs, block_reason FROM account")


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
    for _ in range(2):
        long_two.write_quote(bid=entry - 510)
        long_two.watch()
        long_two.execute("UPDATE account SET losses_seen_at = losses_seen_at - interval '1 second'")

    assert [(True,)] == long_two.rows("SELECT breached_market_at IS NOT NULL FROM account")
    assert [(1,)] == long_two.rows("SELECT count(*)::int FROM flatten_request")


def test_an_account_that_cannot_be_read_keeps_no_other_from_being_watched(long_two: WorkerEnv) -> None:
    long_two.execute(
        "INSERT INTO account (id, name, balance, can_trade, rule_changes) VALUES (1, '50KTC-1', 50000, true, '[]')"
    )
    watch_at(long_two, entry_price(long_two) - 510)

    assert [(True,)] == long_two.rows("SELECT breached_market_at IS NOT NULL FROM account WHERE id <> 1")


def test_an_entry_waits_while_a_position_has_no_stop(long_two: WorkerEnv) -> None:
    long_two.execute("UPDATE orders SET state = 'CANCELLED' WHERE role = 'STOP_LOSS'")
    long_two.write_quote(bid=entry_price(long_two))
    waiting = long_two.entry_alert()
    long_two.runner.run(waiting)

    assert "queued" == long_two.job(waiting)[0]
    assert "2 of CON.F.US.MNQ.H26 are held without a stop" in (long_two.job(waiting)[2] or "")
