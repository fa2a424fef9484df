"""The feed as its own process, between the simulator's hubs and Postgres and Redis."""

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.clock import machine_now
from shared.config import environment
from shared.domain.bar import MINUTE
from shared.hot.feed_writer import HEALTH_KEY
from shared.hot.forming_bars import FormingBar, read_ended_bar
from shared.hot.positions import read_positions
from shared.hot.quotes import read_quote
from tests.fixtures.desk import Desk
from tests.fixtures.fleet import Program
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ

ORDER = "SELECT state, filled_quantity, average_fill_price FROM orders WHERE venue_order_id = %s"
RECORDED = "SELECT count(*) FROM job WHERE name LIKE 'orders.record%%' AND state = 'succeeded'"


@dataclass
class Feeds:
    """Starts feeds on a desk's database and venue."""

    desk: Desk
    folder: Path
    hot: "redis.Redis"
    running: list[Program] = field(default_factory=list)

    def start(self) -> Program:
        """Start one more, and return once it works or stands by."""
        settings = self.desk.settings
        env = {
            "TICKWORK_HOME": str(settings.home),
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "TICKWORK_VENUE_URL": settings.venue.url,
            "TICKWORK_VENUE_HUBS_URL": settings.venue.url,
            "TICKWORK_VENUE_USER": settings.venue.user,
            "TICKWORK_VENUE_KEY": settings.venue.key,
            "TICKWORK_VENUE_IS_SIMULATOR": "on",
            "TICKWORK_MARKET": "test",
            "TICKWORK_LIMITS": "off",
        }
        program = Program(("workers.feed",), environment() | env, self.folder)
        self.running.append(program)
        program.wait_until_running()
        return program

    def health(self) -> dict[str, Any]:
        """Return what the active feed says of itself."""
        found = self.hot.get(HEALTH_KEY)
        return {} if found is None else dict(json.loads(str(found)))

    def wait_for_connection(self, number: int = 1) -> None:
        """Wait until the user hub has been connected so often and its snapshot was asked for, and a quote has come."""
        until(lambda: self.health().get("user_connections", 0) >= number, 60, f"connection {number}")
        until(lambda: self.snapshots() >= number, 60, f"snapshot {number}")
        until(lambda: read_quote(self.hot, MNQ) is not None, 60, "a quote")

    def snapshots(self) -> int:
        """Count how often the accounts were to be reconciled for a connection's sake."""
        return len(self.desk.rows("SELECT 1 FROM job_key WHERE unique_key LIKE 'feed:reconcile:%%'"))

    def work_until_recorded(self, count: int) -> None:
        """Run the jobs that the feed asks for until so many were recorded."""

        def recorded() -> bool:
            self.desk.work()
            return bool(self.desk.rows(RECORDED)[0][0] >= count)

        until(recorded, 60, f"{count} events recorded")

    def close(self) -> None:
        """End them all."""
        for program in self.running:
            program.kill()


@pytest.fixture
def feeds(desk: Desk, tmp_path: Path) -> Iterator[Feeds]:
    hot = redis.Redis.from_url(desk.settings.redis_url, decode_responses=True)
    hot.flushdb()
    feeds = Feeds(desk, tmp_path, hot)
    yield feeds
    feeds.close()
    hot.close()


def test_quotes_reach_redis_and_are_gone_when_they_are_no_longer_fresh(feeds: Feeds) -> None:
    feed = feeds.start()
    feeds.wait_for_connection()
    quote = read_quote(feeds.hot, MNQ)

    assert quote is not None
    assert quote.bid is not None
    assert quote.ask is not None
    assert quote.bid < quote.ask
    assert machine_now() - quote.received_at < timedelta(seconds=10)
    feed.kill()
    until(lambda: read_quote(feeds.hot, MNQ) is None, 30, "the quote's end")


def test_an_order_of_somebody_else_is_known_with_its_fill_without_asking(feeds: Feeds) -> None:
    feeds.start()
    feeds.wait_for_connection()
    feeds.desk.work()
    asked = len(feeds.desk.venue.requests("/api/Order/search"))
    placed = feeds.desk.venue.place(customTag="by-hand", stopLossBracket={"ticks": -40, "type": 4})
    feeds.work_until_recorded(5)

    (order,) = feeds.desk.rows(ORDER, placed["orderId"])
    fills = feeds.desk.rows("SELECT quantity, order_id IS NOT NULL FROM fill")
    assert ("FILLED", 1) == order[:2]
    assert [(1, True)] == fills
    assert [("STOP_LOSS", "WORKING")] == feeds.desk.rows("SELECT role, state FROM orders WHERE parent_id IS NOT NULL")
    assert asked == len(feeds.desk.venue.requests("/api/Order/search"))
    until(lambda: read_positions(feeds.hot, feeds.desk.venue.account_id)[MNQ].quantity == 1, 30, "the position")


def test_an_order_of_ours_is_matched_by_its_tag_and_written_once_however_often_it_is_told(feeds: Feeds) -> None:
    feeds.start()
    feeds.wait_for_connection()
    feeds.desk.venue.faults(path="event_duplicate", count=None)
    feeds.desk.venue.faults(path="event_reorder", count=None, probability=0.5, seconds=0.2)
    feeds.desk.alert()
    feeds.desk.work()
    feeds.work_until_recorded(4)

    assert [("FILLED", 1)] == feeds.desk.rows("SELECT state, filled_quantity FROM orders WHERE role = 'ENTRY'")
    assert [(1,)] == feeds.desk.rows("SELECT quantity FROM fill")
    assert [("WORKING",)] == feeds.desk.rows("SELECT state FROM orders WHERE role = 'STOP_LOSS'")


@pytest.mark.parametrize("how", ["hub_drop", "hub_gap", "logout"])
def test_trap_10_what_happened_while_the_stream_was_away_is_read_after_every_return(feeds: Feeds, how: str) -> None:
    feeds.start()
    feeds.wait_for_connection()
    feeds.desk.work()
    feeds.desk.venue.faults(path="event_lost", count=None)  # what the gap swallows
    placed = feeds.desk.venue.place(customTag="unheard")
    feeds.desk.venue.forget_faults()
    assert [] == feeds.desk.rows(ORDER, placed["orderId"])
    feeds.desk.venue.faults(path=how, count=2, seconds=1)

    feeds.wait_for_connection(2)
    feeds.desk.work()

    (order,) = feeds.desk.rows(ORDER, placed["orderId"])
    assert ("FILLED", 1) == order[:2]


def test_trap_12_unwrapped_events_are_understood(feeds: Feeds) -> None:
    feeds.start()
    feeds.wait_for_connection()
    feeds.desk.venue.faults(path="event_unwrapped", count=None)
    placed = feeds.desk.venue.place(customTag="bare")
    feeds.work_until_recorded(2)

    assert "FILLED" == feeds.desk.rows(ORDER, placed["orderId"])[0][0]


def test_an_older_word_never_overwrites_a_newer_one(feeds: Feeds) -> None:
    feeds.start()
    feeds.wait_for_connection()
    feeds.desk.venue.faults(path="event_late", count=1, seconds=2)  # the acceptance comes after the fill
    placed = feeds.desk.venue.place(customTag="late")
    feeds.work_until_recorded(3)

    assert "FILLED" == feeds.desk.rows(ORDER, placed["orderId"])[0][0]


def test_a_standby_takes_over_when_the_active_feed_is_killed_or_frozen(feeds: Feeds) -> None:
    first = feeds.start()
    feeds.wait_for_connection()
    second = feeds.start()
    assert "this feed is the active one" not in second.log.read_text()
    first.process.send_signal(signal.SIGSTOP)

    until(lambda: "this feed is the active one" in second.log.read_text(), 60, "the standby's turn")
    feeds.wait_for_connection(1)
    first.process.send_signal(signal.SIGCONT)
    until(lambda: "this one stands by" in first.log.read_text(), 60, "the first one's rest")
    second.kill()
    until(lambda: first.log.read_text().count("this feed is the active one") == 2, 60, "the first one's return")


def test_what_happens_while_postgres_is_away_is_written_down_later(feeds: Feeds) -> None:
    feeds.start()
    feeds.wait_for_connection()
    feeds.desk.work()
    feeds.desk.execute("ALTER TABLE job RENAME TO job_away")
    placed = feeds.desk.venue.place(customTag="unwritten")
    until(lambda: "Retrying" in feeds.running[0].log.read_text(), 30, "a try")
    feeds.desk.execute("ALTER TABLE job_away RENAME TO job")
    feeds.work_until_recorded(2)

    assert "FILLED" == feeds.desk.rows(ORDER, placed["orderId"])[0][0]


def test_the_bar_made_of_trades_is_the_one_that_rest_gives_later(feeds: Feeds) -> None:
    feeds.start()
    feeds.wait_for_connection()

    def whole_minute() -> FormingBar | None:
        bar = read_ended_bar(feeds.hot, MNQ)
        return bar if bar is not None and bar.is_complete else None

    until(lambda: whole_minute() is not None, 200, "a minute that was heard whole")
    bar = whole_minute()
    assert bar is not None
    answer = feeds.desk.venue.post(
        "/api/History/retrieveBars", contractId=MNQ, live=False, startTime=bar.start.isoformat(),
        endTime=(bar.start + MINUTE).isoformat(), unit=2, unitNumber=1, limit=10, includePartialBar=False,
    )  # fmt: skip
    (rest,) = answer["bars"]
    assert [Decimal(str(rest[name])) for name in "ohlc"] == [bar.open, bar.high, bar.low, bar.close]
    assert rest["v"] == bar.volume


def test_the_token_is_in_no_log(feeds: Feeds) -> None:
    feed = feeds.start()
    feeds.wait_for_connection()
    feeds.desk.venue.faults(path="hub_drop", count=2)
    feeds.wait_for_connection(2)

    said = feed.log.read_text()
    assert "lost" in said
    assert "eyJ" not in said
    assert "access_token" not in said
