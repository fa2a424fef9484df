"""The watch while facts settle: marks of their own, balances before their fills, markets that do not trade."""

from decimal import Decimal

import msgspec
import pytest

from shared.clock import machine_now
from shared.db.accounts import accounts
from shared.db.risk import risk_snapshots
from shared.hot.quotes import HotQuote, quote_key
from shared.ledger.jobs.orders import ReconcileAccounts
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ
from tests.fixtures.watched_position import entry_price, watch_at, watch_once_at
from tests.fixtures.worker_env import WorkerEnv
from workers.risk.confirmation import SETTLING_RUNS

ZC = "CON.F.US.ZCE.K26"
MARKS = "SELECT locked_on IS NOT NULL, breached_market_at IS NOT NULL FROM account"
A_SECOND_AGO = "UPDATE account SET losses_seen_at = losses_seen_at - interval '1 second'"
BALANCE_OF_A_CLOSE = "UPDATE account SET balance = balance - 1000"  # of 2,000 that may be lost
FILL_OF_A_CLOSE = "UPDATE fill SET gross_pnl = -1000"


def test_each_limit_is_marked_by_two_runs_that_saw_it_touched(long_two: WorkerEnv) -> None:
    long_two.execute("""UPDATE account SET rule_changes = '{"daily_loss_limit": "1000"}'""")
    entry = entry_price(long_two)
    watch_once_at(long_two, entry - 260)  # the daily loss limit
    long_two.execute(A_SECOND_AGO)
    watch_once_at(long_two, entry - 600)  # and for one run the loss limit level

    assert [(True, False)] == long_two.rows(MARKS)


def test_a_loss_in_the_balance_whose_fills_are_not_recorded_yet_counts_once(long_two: WorkerEnv) -> None:
    entry = entry_price(long_two)
    watch_once_at(long_two, entry)
    long_two.execute(BALANCE_OF_A_CLOSE)
    watch_at(long_two, entry - 275)  # with the 1,000 of the balance beyond the loss limit level
    watch_at(long_two, entry - 275)
    assert [(False, False)] == long_two.rows(MARKS)
    assert [] == long_two.rows("SELECT 1 FROM flatten_request")

    long_two.execute(FILL_OF_A_CLOSE)
    watch_once_at(long_two, entry - 275)
    assert [(False, False)] == long_two.rows(MARKS), "the first run that can tell"
    long_two.execute(A_SECOND_AGO)
    watch_once_at(long_two, entry - 275)
    assert [(False, True)] == long_two.rows(MARKS)


def test_a_result_that_is_in_no_balance_yet_is_not_acted_on(long_two: WorkerEnv) -> None:
    """The hub is down, and the fill was read after the balance: what it won or lost is missing."""
    entry = entry_price(long_two)
    watch_once_at(long_two, entry)
    long_two.execute(FILL_OF_A_CLOSE)
    watch_at(long_two, entry - 510)
    assert [(False, False)] == long_two.rows(MARKS)

    long_two.execute(BALANCE_OF_A_CLOSE)
    watch_at(long_two, entry - 510)
    assert [(False, True)] == long_two.rows(MARKS)


def test_a_balance_that_no_fill_explains_is_accepted_after_a_while(long_two: WorkerEnv) -> None:
    entry = entry_price(long_two)
    watch_once_at(long_two, entry)
    long_two.execute(BALANCE_OF_A_CLOSE)
    for _ in range(2 * SETTLING_RUNS):  # as long as the venue cannot be asked about it
        watch_once_at(long_two, entry - 275)
        long_two.execute(A_SECOND_AGO)
    assert [(False, False)] == long_two.rows(MARKS)
    assert [(1,)] == long_two.rows("SELECT count(*) FROM job WHERE name = 'accounts.check_balance'")
    watch_at(long_two, entry - 275)
    assert [(False, True)] == long_two.rows(MARKS)


def test_an_amount_that_changes_again_begins_to_settle_anew(long_two: WorkerEnv) -> None:
    entry = entry_price(long_two)
    watch_once_at(long_two, entry)
    long_two.execute("UPDATE account SET balance = balance - 500")
    watch_once_at(long_two, entry)
    long_two.execute(f"UPDATE account SET pending_runs = {2 * SETTLING_RUNS}")
    long_two.execute(BALANCE_OF_A_CLOSE)
    watch_at(long_two, entry - 275)

    assert [(False, False)] == long_two.rows(MARKS)
    assert [(2,)] == long_two.rows("SELECT pending_runs FROM account")


def test_a_loss_as_small_as_the_costs_of_what_is_held_counts_once_too(long_two: WorkerEnv) -> None:
    watch_once_at(long_two, entry_price(long_two))
    long_two.execute("UPDATE account SET balance = balance - 2")
    watch_once_at(long_two, entry_price(long_two))

    assert [(1,)] == long_two.rows("SELECT pending_runs FROM account")


def test_a_loss_in_a_market_that_is_quoted_seldom_is_confirmed_by_its_next_quote(long_two: WorkerEnv) -> None:
    """A quote lives five seconds: between two of them nothing is known, and nothing forgotten."""
    low = entry_price(long_two) - 510
    watch_once_at(long_two, low)
    long_two.execute(A_SECOND_AGO)
    long_two.redis.flushdb()
    long_two.watch()
    assert [(False, False)] == long_two.rows(MARKS)
    watch_once_at(long_two, low)

    assert [(False, True)] == long_two.rows(MARKS)


def test_what_one_quote_tells_twice_blocks_and_cancels_nothing(long_two: WorkerEnv) -> None:
    long_two.write_quote(bid=entry_price(long_two) - 510)
    for _ in range(3):
        long_two.watch()

    assert [] == long_two.rows("SELECT kind FROM account_event")
    assert [(None,)] == long_two.rows("SELECT block_reason FROM account")


def test_one_quote_confirms_nothing_twice(long_two: WorkerEnv) -> None:
    long_two.write_quote(bid=entry_price(long_two) - 510)
    for _ in range(2):  # a second apart, as the first run was later than the quote
        long_two.watch()
        until(lambda: long_two.rows("SELECT losses_seen_at < now() - interval '0.6 seconds' FROM account") == [(True,)])
    assert [(False, False)] == long_two.rows(MARKS)

    watch_once_at(long_two, entry_price(long_two) - 510)
    assert [(False, True)] == long_two.rows(MARKS)


@pytest.mark.parametrize(("quantity", "unprotected"), [(1, 1), (2, 0), (5, 0)])
def test_a_stop_placed_elsewhere_covers_as_much_as_it_closes(
    long_two: WorkerEnv, quantity: int, unprotected: int
) -> None:
    long_two.execute(
        f"UPDATE orders SET role = 'OTHER', quantity = {quantity}, origin = 'external' WHERE role = 'STOP_LOSS'"
    )
    with long_two.ledger.engine.begin() as connection:
        (account,) = accounts.list_all(connection)
        snapshot = risk_snapshots.read(connection, [account], long_two.venue.clock, lambda _: lambda *_: None)[
            account.id
        ]

    assert [unprotected] == [one.unprotected for one in snapshot.risk.holdings]


def test_entries_stay_blocked_while_a_balance_settles(long_two: WorkerEnv) -> None:
    watch_at(long_two, entry_price(long_two) - 400)  # three quarters of the allowance are used
    long_two.execute(BALANCE_OF_A_CLOSE)
    watch_once_at(long_two, entry_price(long_two) - 400)

    assert "max loss limit" in long_two.rows("SELECT block_reason FROM account")[0][0]
    assert [("blocked",)] == long_two.rows("SELECT kind FROM account_event")


def test_a_position_in_a_closed_market_hides_no_loss_in_an_open_one_and_is_left(long_two: WorkerEnv) -> None:
    """The grains close at 13:20 in Chicago; without a quote the last minute bar's close, or the entry, is the price."""
    long_two.execute(
        "UPDATE market_clock SET machine_origin_at = now(), market_origin_at = '2026-03-10 19:00:00+00', speed = 1"
    )
    entry = entry_price(long_two)
    long_two.execute(
        f"""INSERT INTO position (account_id, contract_id, direction, quantity, average_price, opened_market_at)
            SELECT id, '{ZC}', 'LONG', 1, 400, now() FROM account"""
    )
    for _ in range(2):
        long_two.write_quote(bid=entry - 510)
        long_two.watch()
        long_two.execute(A_SECOND_AGO)

    assert [(False, True)] == long_two.rows(MARKS)
    assert [(MNQ,)] == long_two.rows("SELECT contract_id FROM flatten_request")


def test_a_reduction_asks_for_no_exit_in_a_market_that_pauses(long_two: WorkerEnv) -> None:
    """The grains pause from 7:45 to 8:30 in Chicago, when the venue rejects exits; later they are reduced too."""
    long_two.execute(
        "UPDATE market_clock SET machine_origin_at = now(), market_origin_at = '2026-03-10 13:00:00+00', speed = 1"
    )
    entry = entry_price(long_two)
    long_two.execute(
        f"""INSERT INTO position (account_id, contract_id, direction, quantity, average_price, opened_market_at)
            SELECT id, '{ZC}', 'LONG', 2, 400, now() FROM account"""
    )
    long_two.execute("""UPDATE account SET rule_changes = '{"reduce_at": "0.80"}'""")
    watch_at(long_two, entry - 420)

    reduced = "SELECT arguments ->> 'contract_id' FROM job WHERE name = 'orders.reduce_position'"
    assert [(MNQ,)] == long_two.rows(reduced)
    long_two.execute("UPDATE market_clock SET machine_origin_at = now(), market_origin_at = '2026-03-10 14:00:00+00'")
    corn = HotQuote(bid=Decimal(400), ask=Decimal("400.25"), last=Decimal(400), received_at=machine_now())
    long_two.redis.set(quote_key(ZC), msgspec.json.encode(corn))
    watch_at(long_two, entry - 420)
    assert [(MNQ,), (ZC,)] == long_two.rows(f"{reduced} ORDER BY id")


@pytest.mark.parametrize("is_held", [True, False], ids=["held", "only an order by hand"])
def test_corn_that_must_be_flat_at_13_05_closes_nothing_of_the_index(long_two: WorkerEnv, *, is_held: bool) -> None:
    long_two.execute(
        "UPDATE market_clock SET machine_origin_at = now(), market_origin_at = '2026-03-10 18:04:40+00', speed = 1"
    )
    entry = entry_price(long_two)
    if is_held:
        long_two.execute(
            f"""INSERT INTO position (account_id, contract_id, direction, quantity, average_price, opened_market_at)
                SELECT id, '{ZC}', 'LONG', 1, 400, now() FROM account"""
        )
    else:
        long_two.execute(
            f"""INSERT INTO orders (id, account_id, contract_id, venue_order_id, origin, role, side, type, quantity,
                                    limit_price, state, correlation_id)
                SELECT gen_random_uuid(), account.id, '{ZC}', 77, 'external', 'OTHER', 'BUY', 'LIMIT', 1, 300,
                       'WORKING', gen_random_uuid() FROM account"""
        )
    watch_at(long_two, entry)

    ((contract, reason),) = long_two.rows("SELECT contract_id, reason FROM flatten_request")
    assert ZC == contract
    assert "what is held in grains must be flat by 2026-03-10 13:05:00 Chicago" in reason


def test_reads_for_exposed_accounts_leave_flat_ones_alone(worker_env: WorkerEnv) -> None:
    assert ("succeeded", {"accounts": 0}, None) == worker_env.run(ReconcileAccounts(only_exposed=True))
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    assert ("succeeded", {"accounts": 1}, None) == worker_env.run(ReconcileAccounts(only_exposed=True))
