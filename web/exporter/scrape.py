"""One scrape: every figure of the installation, read in one transaction that sees one state of the database."""

import threading
from collections.abc import Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from shared.clock import machine_now, monotonic
from shared.config import Settings
from shared.db.accounts import accounts
from shared.db.engine import make_engine, snapshot
from shared.db.market_data import contracts, market_clock
from shared.db.metrics import gauges, present
from shared.db.metrics.totals import TotalsReader
from shared.db.risk import monitor_runs, risk_snapshots
from shared.db.risk.risk_snapshots import ExitPrice
from shared.errors import TickworkError
from shared.hot.connection import RedisUnavailableError
from shared.hot.feed_health import FeedHealth, FeedHealthReader
from shared.hot.quotes import QuoteReader, exit_price_from
from web.exporter.accounts import build_accounts
from web.exporter.feed import build_feed
from web.exporter.happened import Ratchet, build_counters, build_progress
from web.exporter.present import build_database, build_fleets, build_monitor, build_queues
from web.exporter.usage import build_usage

STATEMENT_TIMEOUT_S = 2.0
_SCRAPE_WITHIN_S = 8.0  # Prometheus gives up after ten


class ScrapeFailedError(TickworkError):
    """A scrape took too long, or waited too long for another one."""


class StackCollector(Collector):
    """Reads the metrics of an installation; scrapes run one at a time, on a connection that is kept."""

    def __init__(self, settings: Settings, quotes: QuoteReader, feed: FeedHealthReader) -> None:
        engine = make_engine(
            settings.require_database(), program="exporter", pool_size=1, statement_timeout_s=STATEMENT_TIMEOUT_S
        )
        self._engine = engine.execution_options(postgresql_readonly=True)
        self._settings = settings
        self._quotes = quotes
        self._feed = feed
        self._totals = TotalsReader()
        self._ratchet = Ratchet()
        self._turn = threading.Lock()

    def collect(self) -> list[Metric]:
        """Return every metric; raise one of DATABASE_ERRORS or TickworkError instead of a part of them."""
        if not self._turn.acquire(timeout=_SCRAPE_WITHIN_S):
            raise ScrapeFailedError("another scrape is under way")
        try:
            give_up_at = monotonic() + _SCRAPE_WITHIN_S
            health = self._read_feed()
            with snapshot(self._engine) as connection:
                found: list[Metric] = []
                for metric in self._read(connection, health):
                    if monotonic() > give_up_at:
                        raise ScrapeFailedError(f"the database took more than {_SCRAPE_WITHIN_S:.0f} s")
                    found.append(metric)
            return found
        finally:
            self._turn.release()

    def _read_feed(self) -> FeedHealth | None:
        try:
            return self._feed.read()
        except RedisUnavailableError:
            return None

    def _read_prices(self, contract_ids: set[str]) -> ExitPrice:
        return exit_price_from(self._quotes.read(contract_ids))

    def _read(self, connection: Connection, health: FeedHealth | None) -> Iterator[Metric]:
        market = market_clock.require(connection)
        now, revision = present.read_database(connection)
        yield from build_database(now, revision, market.market)
        yield from build_queues(present.list_queues(connection))
        yield from build_fleets(present.list_fleets(connection))
        yield from build_monitor(monitor_runs.read(connection))
        yield from build_usage(gauges.list_newest(connection))
        tracked = contracts.list_tracked(connection)
        yield from build_feed(health, tracked, machine_now=machine_now(), market_now=market.clock.now())
        rows = accounts.list_all(connection)
        most = self._settings.max_quantity
        snapshots = risk_snapshots.read(connection, rows, market.clock, self._read_prices, max_quantity=most)
        yield from build_accounts(rows, snapshots)
        until, totals = self._totals.read(connection)
        yield build_progress(until)
        yield from build_counters(totals, self._ratchet)
