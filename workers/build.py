"""Builds what one worker process needs to run jobs: connections, clocks, gateway, runner."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from sqlalchemy import Connection

from shared.clock import MarketClock
from shared.config import Settings
from shared.db import market
from shared.db.engine import make_engine
from shared.errors import SettingsError
from shared.gateway.client import GatewayClient
from shared.gateway.ports import CallLog
from shared.hot.connection import Patience, connect
from shared.hot.logins import RedisTokenStore
from shared.hot.rate_limit import NoLimiter, RedisLimiter, windows_for
from shared.ledger.ledger import Ledger
from shared.ledger.rows import ClaimedJob
from shared.ledger.wake import open_wake
from workers.calls import BufferedCallLog
from workers.context import Context
from workers.deadline import Deadline
from workers.run import Runner


def tracebacks_folder(settings: Settings) -> Path:
    """Return where worker processes leave the stacks they die with."""
    return settings.home / "run" / "tracebacks"


@contextmanager
def open_runner(settings: Settings, worker: str, *, program: str) -> Iterator[Runner]:
    """Connect to Postgres, Redis and the broker, and hold a runner whose jobs are claimed as `worker`."""
    engine = make_engine(settings.need_database(), program=program, pool_size=2)
    ledger = Ledger(engine, open_wake(settings.need_broker()))
    calls = BufferedCallLog(engine)
    random = Random()  # noqa: S311  # spreads retries; guards no secret
    deadline = Deadline(tracebacks_folder(settings), worker)
    with open_gateway(settings, calls) as gateway:
        clock = _market_clock(ledger)

        def context_of(job: ClaimedJob, within: Connection | None) -> Context:
            return Context(settings, ledger, clock, gateway.for_queue(job.queue), calls, random, job, within)

        try:
            yield Runner(ledger, context_of, worker, deadline)
        finally:
            deadline.close()
            ledger.close()


@contextmanager
def open_gateway(settings: Settings, calls: CallLog) -> Iterator[GatewayClient]:
    """Hold a client of the venue that shares token and request budget with every other process."""
    redis = connect(settings.need_redis())
    patience = Patience()
    windows = windows_for(settings.bars_limit)
    limiter = RedisLimiter(redis, settings.venue, patience, windows=windows) if settings.limits else NoLimiter()
    gateway = GatewayClient(settings.venue, RedisTokenStore(redis, settings.venue, patience), limiter, calls)
    try:
        yield gateway
    finally:
        gateway.close()
        redis.close()


def _market_clock(ledger: Ledger) -> MarketClock:
    with ledger.engine.connect() as connection:
        row = market.read(connection)
    if row is None:
        raise SettingsError("this database has met no market yet: start the stack with `tickwork up`")
    return row.clock
