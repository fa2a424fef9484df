"""The feed as its own process, between the simulator's hubs and Postgres and Redis."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from time import monotonic

import pytest

from shared.clock import machine_now
from shared.domain.orders.order import Direction
from shared.hot.feed_lease import ACQUIRE_EVERY
from tests.fixtures.feeds import Feeds
from tests.fixtures.hot_values import read_quote
from tests.fixtures.ledger_env import without_database
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ
from workers.feed.stall import STALLED_AFTER_S

ACCEPTANCE = """
    SELECT 1 FROM job, jsonb_array_elements(arguments -> 'orders') AS reported
    WHERE job.name = 'orders.apply_execution_reports' AND job.state = 'succeeded' AND reported ->> 'id' = %s
      AND reported ->> 'fillVolume' = '0'
"""
ORDER = "SELECT state, filled_quantity FROM orders WHERE venue_order_id = %s"


def test_quotes_reach_redis_and_expire_when_no_longer_fresh(feeds: Feeds) -> None:
    began_at = machine_now()
    feed = feeds.start()
    feeds.wait_until_fed()
    until(lambda: feeds.has_quote_since(began_at), 60, "a quote")
    quote = read_quote(feeds.hot, MNQ)

    assert quote is not None
    assert quote.bid is not None
    assert quote.ask is not None
    assert quote.bid < quote.ask
    feed.kill()
    until(lambda: read_quote(feeds.hot, MNQ) is None, 60, "the quote's end")


def test_an_external_order_is_recorded_with_fill_and_bracket_without_a_read(feeds: Feeds) -> None:
    feeds.start()
    feeds.wait_until_fed()
    feeds.worker_env.run_due_jobs()
    read_count = len(feeds.worker_env.venue.requests("/api/Order/search"))
    placed = feeds.worker_env.venue.place(customTag="by-hand", stopLossBracket={"ticks": -40, "type": 4})

    feeds.work_until(lambda: [("FILLED", 1)] == feeds.worker_env.rows(ORDER, placed["orderId"]))
    feeds.work_until(lambda: [(1, True)] == feeds.worker_env.rows("SELECT quantity, order_id IS NOT NULL FROM fill"))
    legs = "SELECT role, state FROM orders WHERE parent_id IS NOT NULL"
    feeds.work_until(lambda: [("STOP_LOSS", "WORKING")] == feeds.worker_env.rows(legs))
    feeds.wait_for_position(Direction.LONG)
    assert read_count == len(feeds.worker_env.venue.requests("/api/Order/search"))


def test_an_order_of_ours_is_matched_by_its_tag_and_recorded_once_despite_repeated_and_reordered_events(
    feeds: Feeds,
) -> None:
    feeds.start()
    feeds.wait_until_fed()
    feeds.fault("event_duplicate", count=20)
    feeds.fault("event_reorder", count=3, seconds=0.2)
    feeds.worker_env.entry_alert()

    entry = "SELECT state, filled_quantity FROM orders WHERE role = 'ENTRY'"
    feeds.work_until(lambda: [("FILLED", 1)] == feeds.worker_env.rows(entry))
    feeds.work_until(lambda: [(1,)] == feeds.worker_env.rows("SELECT quantity FROM fill WHERE order_id IS NOT NULL"))
    stop = "SELECT state FROM orders WHERE role = 'STOP_LOSS'"
    feeds.work_until(lambda: [("WORKING",)] == feeds.worker_env.rows(stop))


@pytest.mark.parametrize("kind", ["hub_drop", "hub_error", "hub_gap", "logout"])
def test_trap_10_events_missed_during_an_outage_are_read_after_every_reconnect(feeds: Feeds, kind: str) -> None:
    feeds.start()
    feeds.wait_until_fed()
    feeds.worker_env.run_due_jobs()
    feeds.fault("event_lost", count=20)  # events of the gap
    placed = feeds.worker_env.venue.trade(customTag="unheard")
    feeds.remove_faults()
    assert [] == feeds.worker_env.rows(ORDER, placed["orderId"])
    assert {} == feeds.hot_positions()
    feeds.fault(kind, count=2, seconds=1)

    feeds.wait_until_fed(connection_count=2)
    feeds.work_until(lambda: [("FILLED", 1)] == feeds.worker_env.rows(ORDER, placed["orderId"]))
    feeds.wait_for_position(Direction.LONG)


def test_while_the_user_hub_is_down_the_account_is_read_again_and_again(feeds: Feeds) -> None:
    feeds.start({"workers.feed.user_side:READ_WHILE_DOWN_EVERY_S": 0.3})
    feeds.wait_until_fed()
    feeds.fault("hub_gap", count=2, seconds=600)
    until(lambda: not feeds.health().user.is_connected, 60, "a user hub that is down")
    placed = feeds.worker_env.venue.trade(customTag="unheard")

    feeds.work_until(lambda: [("FILLED", 1)] == feeds.worker_env.rows(ORDER, placed["orderId"]))
    assert not feeds.health().user.is_connected


def test_trap_12_unwrapped_events_are_parsed(feeds: Feeds) -> None:
    feeds.start()
    feeds.wait_until_fed()
    feeds.fault("event_unwrapped", count=20)
    placed = feeds.worker_env.venue.place(customTag="bare")

    feeds.work_until(lambda: [("FILLED", 1)] == feeds.worker_env.rows(ORDER, placed["orderId"]))


def test_an_older_report_never_overwrites_a_newer_one(feeds: Feeds) -> None:
    feeds.start()
    feeds.wait_until_fed()
    feeds.fault("event_late", count=1, seconds=1)  # the acceptance arrives after the fill
    placed = feeds.worker_env.venue.place(customTag="late")

    feeds.work_until(lambda: [("FILLED", 1)] == feeds.worker_env.rows(ORDER, placed["orderId"]))
    feeds.work_until(lambda: [] != feeds.worker_env.rows(ACCEPTANCE, str(placed["orderId"])))
    assert [("FILLED", 1)] == feeds.worker_env.rows(ORDER, placed["orderId"])


def test_a_position_closed_by_a_missed_event_is_removed(feeds: Feeds) -> None:
    feeds.start()
    feeds.wait_until_fed()
    feeds.worker_env.venue.trade(customTag="in")
    feeds.wait_for_position(Direction.LONG)
    feeds.fault("event_lost", count=50)
    feeds.worker_env.venue.trade(customTag="out", side=1)
    feeds.remove_faults()
    feeds.fault("hub_gap", count=1, seconds=0.5)

    until(lambda: feeds.hot_positions() == {}, 60, "a flat account")


@pytest.mark.parametrize("stop", [lambda feed: feed.kill(), lambda feed: feed.freeze()], ids=["SIGKILL", "SIGSTOP"])
def test_a_standby_takes_over_once_the_lease_has_ended(feeds: Feeds, stop: Callable[..., None]) -> None:
    first = feeds.start()
    feeds.wait_until_fed()
    second = feeds.start()
    assert "is the active one" not in second.log.read_text()
    stop(first)
    stopped_at = machine_now()  # the first feed may have written earlier quotes until now

    until(lambda: "is the active one" in second.log.read_text(), 60, "the standby to become active")
    until(lambda: feeds.has_quote_since(stopped_at), 60, "a quote from the standby")
    assert 2 == feeds.health().fence
    assert timedelta(seconds=0.25) >= ACQUIRE_EVERY  # the delay on a computer that is not busy


def test_a_feed_that_was_frozen_stands_by_and_writes_nothing_stale(feeds: Feeds) -> None:
    first = feeds.start()
    feeds.wait_until_fed()
    second = feeds.start()
    first.freeze()
    until(lambda: "is the active one" in second.log.read_text(), 60, "the standby to become active")
    until(lambda: feeds.health().fence > 1, 60, "its health report")
    fence = feeds.health().fence
    first.resume()
    until(lambda: "this one stands by" in first.log.read_text(), 60, "the first one to stand by")

    assert fence == feeds.health().fence
    second.kill()
    until(lambda: first.log.read_text().count("is the active one") == 2, 60, "the first one to become active again")


def test_a_feed_that_stalled_and_was_not_replaced_reconnects(feeds: Feeds) -> None:
    feed = feeds.start({"shared.hot.feed_lease:LEASE_DURATION": 600})  # it may stall for long and keep the lease
    feeds.wait_until_fed()
    feed.freeze()
    until(partial(is_past, monotonic() + STALLED_AFTER_S + 0.5), 60, "a stall of that length")
    feed.resume()

    until(lambda: "stalled" in feed.log.read_text(), 60, "the log line of the stall")
    feeds.wait_until_fed(connection_count=2)


def is_past(at: float) -> bool:
    return monotonic() > at


def test_events_during_a_postgres_outage_are_recorded_later(feeds: Feeds) -> None:
    feeds.start()
    feeds.wait_until_fed()
    feeds.worker_env.run_due_jobs()
    with without_database(feeds.worker_env.settings.database_url):
        placed = feeds.worker_env.venue.place(customTag="unwritten")
        until(lambda: "Retrying" in feeds.running[0].log.read_text(), 60, "a retry")
        quote = read_quote(feeds.hot, MNQ)
        assert quote is not None
        until(lambda: feeds.has_quote_since(quote.received_at), 60, "a newer quote")

    feeds.work_until(lambda: [("FILLED", 1)] == feeds.worker_env.rows(ORDER, placed["orderId"]))
    assert 1 == feeds.health().user.connection_count
    assert 0 == feeds.health().job_lost_count


def test_the_token_is_in_no_log(feeds: Feeds) -> None:
    feed = feeds.start(TICKWORK_LOG_LEVEL="DEBUG")
    feeds.wait_until_fed()
    feeds.fault("logout", count=1)
    feeds.fault("hub_drop", count=2)
    feeds.wait_until_fed(connection_count=2)

    log_text = feed.log.read_text()
    assert "lost" in log_text
    assert "eyJ" not in log_text
    assert "access_token=e" not in log_text


def test_repeated_logouts_end_the_feed_and_halt_entries(feeds: Feeds) -> None:
    feed = feeds.start()
    feeds.wait_until_fed()
    feeds.fault("logout", count=50)
    until(lambda: not feed.is_alive(), 120, "the feed's end")

    assert 1 == feed.process.returncode
    assert "the feed stops" in feed.log.read_text()
    ((reason,),) = feeds.worker_env.rows("SELECT halt_reason FROM account WHERE halted_at IS NOT NULL")
    assert "ended our session" in reason
