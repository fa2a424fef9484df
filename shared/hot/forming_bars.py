"""The bars of the minute that has not ended, built from trades, in Redis; only bars from REST are stored."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
import redis

from shared.domain.market_data.bar import minute_of
from shared.hot.connection import CircuitBreaker, RedisUnavailableError

BAR_EXPIRES_AFTER = timedelta(minutes=3)


class FormingBar(msgspec.Struct, frozen=True, kw_only=True):
    """A bar with prices in money. It is incomplete if the feed missed its start: open and volume are then partial."""

    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    is_complete: bool


def forming_bar_key(contract_id: str) -> str:
    """Return the Redis key of the contract's forming bar."""
    return f"tickwork:forming_bar:{contract_id}"


class FormingBarReader:
    """Reads the bars of the minute that has not ended; returns none while Redis does not answer."""

    def __init__(self, client: "redis.Redis", breaker: CircuitBreaker) -> None:
        self._client = client
        self._breaker = breaker

    def read(self, contract_ids: Sequence[str], market_now: datetime) -> dict[str, FormingBar]:
        """Return the forming bars by contract; contracts without a trade in this minute are missing."""
        if not contract_ids:
            return {}
        try:
            with self._breaker.guard():
                found = self._client.mget([forming_bar_key(contract_id) for contract_id in contract_ids])
        except RedisUnavailableError:
            return {}
        bars = {
            contract_id: msgspec.json.decode(str(value), type=FormingBar)
            for contract_id, value in zip(contract_ids, list(found), strict=True)
            if value is not None
        }
        return {contract_id: bar for contract_id, bar in bars.items() if bar.start == minute_of(market_now)}
