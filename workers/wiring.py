"""Builds the dependencies of one worker process: connections, clocks, gateway, runner."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

from sqlalchemy import Connection

from shared.bars.bar_reader import BarReader
from shared.config import Settings
from shared.db.engine import make_engine
from shared.db.market_data import market_clock
from shared.db.market_data.market_clock import MarketRow
from shared.hot.connection import CircuitBreaker, connect
from shared.hot.feed_health import UserHubState
from shared.hot.quotes import open_quotes
from shared.hot.recent_bars import RecentBars
from shared.ledger.claims import ClaimedJob
from shared.ledger.ledger import Ledger
from shared.ledger.publisher import open_publisher
from shared.ledger.worker import WorkerProcess
from workers.call_log import CallBuffer
from workers.context import Context
from workers.deadline import Deadline
from workers.runner import Runner
from workers.venue_wiring import AccountSwitch, open_gateway


def tracebacks_folder(settings: Settings) -> Path:
    """Return the folder to which worker processes write their last tracebacks."""
    return settings.home / "run" / "tracebacks"


@contextmanager
def open_runner(settings: Settings, worker: WorkerProcess, *, program: str) -> Iterator[Runner]:
    """Connect to Postgres, Redis and the broker, and open a runner that claims jobs as `worker`."""
    engine = make_engine(settings.require_database(), program=program, pool_size=2)
    ledger = Ledger(engine, open_publisher(settings.require_broker()))
    calls = CallBuffer(engine, ledger.connection)
    random = Random()  # noqa: S311  # spreads retries; guards no secret
    deadline = Deadline(tracebacks_folder(settings), worker)
    with (
        open_gateway(settings, calls, AccountSwitch(engine)) as gateway,
        open_quotes(settings.require_cache()) as quotes,
        closing(connect(settings.require_cache())) as redis,
        closing(connect(settings.require_cache(), decode=False)) as packed,
    ):
        market, user_hub = _read_market(ledger), UserHubState(redis, CircuitBreaker())
        bars = BarReader(RecentBars(packed, CircuitBreaker(), market.unique_name))

        def context_of(job: ClaimedJob, within: Connection | None) -> Context:
            return Context(
                settings,
                ledger,
                market.clock,
                gateway.for_queue(job.queue),
                quotes,
                bars,
                user_hub,
                calls,
                random,
                job,
                within,
            )

        try:
            yield Runner(ledger, context_of, worker, deadline, calls)
        finally:
            deadline.close()
            calls.end()
            ledger.close()


def _read_market(ledger: Ledger) -> MarketRow:
    with ledger.engine.connect() as connection:
        return market_clock.require(connection)
