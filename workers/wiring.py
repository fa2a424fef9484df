"""Builds the dependencies of one worker process: connections, clocks, gateway, runner."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

from sqlalchemy import Connection, Engine

from shared.bars.bar_reader import BarReader
from shared.config import Settings
from shared.db.accounts import accounts
from shared.db.engine import autocommit, make_engine
from shared.db.market_data import market_clock
from shared.db.market_data.market_clock import MarketRow
from shared.gateway.client import GatewayClient
from shared.gateway.ports import CallLog, LiveSwitch
from shared.hot.connection import CircuitBreaker, connect
from shared.hot.feed_health import UserHubState
from shared.hot.logins import RedisTokenStore
from shared.hot.quotes import open_quotes
from shared.hot.rate_limit import NoLimiter, RedisLimiter, windows_for
from shared.hot.recent_bars import RecentBars
from shared.ledger.claims import ClaimedJob
from shared.ledger.ledger import Ledger
from shared.ledger.publisher import open_publisher
from shared.ledger.worker import WorkerProcess
from workers.call_log import CallBuffer
from workers.context import Context
from workers.deadline import Deadline
from workers.runner import Runner


def tracebacks_folder(settings: Settings) -> Path:
    """Return the folder to which worker processes write their last tracebacks."""
    return settings.home / "run" / "tracebacks"


@contextmanager
def open_runner(settings: Settings, worker: WorkerProcess, *, program: str) -> Iterator[Runner]:
    """Connect to Postgres, Redis and the broker, and open a runner that claims jobs as `worker`."""
    engine = make_engine(settings.require_database(), program=program, pool_size=2)
    ledger = Ledger(engine, open_publisher(settings.require_broker()))
    calls = CallBuffer(engine)
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
            yield Runner(ledger, context_of, worker, deadline)
        finally:
            deadline.close()
            ledger.close()


@contextmanager
def open_gateway(settings: Settings, calls: CallLog, switch: LiveSwitch | None = None) -> Iterator[GatewayClient]:
    """Open a client of the venue that shares token and request budget with every other process.

    Without a `switch` it only reads, unless the venue is the simulator.
    """
    redis = connect(settings.require_cache())
    breaker = CircuitBreaker()
    windows = windows_for(settings.bars_limit)
    limiter = RedisLimiter(redis, settings.venue, breaker, windows=windows) if settings.limits else NoLimiter()
    tokens = RedisTokenStore(redis, settings.venue, breaker)
    gateway = GatewayClient(settings.venue, tokens, limiter, calls, switch=switch)
    try:
        yield gateway
    finally:
        gateway.close()
        redis.close()


class AccountSwitch:
    """The live switch, read from each account's row at the time of each order."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def may_send(self, account_id: int, *, is_entry: bool) -> bool:
        """Whether live orders are on; exits also pass when they were on before: a position must be closable."""
        with autocommit(self._engine) as connection:
            account = accounts.get(connection, account_id)
        if account is None:
            return False
        return account.live_orders or (not is_entry and account.live_since_at is not None)


def _read_market(ledger: Ledger) -> MarketRow:
    with ledger.engine.connect() as connection:
        return market_clock.require(connection)
