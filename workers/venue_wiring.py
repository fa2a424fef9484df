"""Builds the client of the venue, for workers and the feed."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from shared.config import Settings
from shared.db.accounts import accounts
from shared.db.engine import autocommit
from shared.gateway.client import GatewayClient
from shared.gateway.ports import CallLog, LiveSwitch
from shared.hot.connection import CircuitBreaker, connect
from shared.hot.logins import RedisTokenStore
from shared.hot.rate_limit import NoLimiter, RedisLimiter, windows_for


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
