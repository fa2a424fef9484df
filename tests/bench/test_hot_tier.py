"""The Redis tier, row by row: how long each read and each count takes on loopback, beside a PING in the same run."""

import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from shared.bars.bar_reader import BarReader
from shared.clock import machine_now
from shared.config import VenueSettings
from shared.domain.market_data.bar import MINUTE
from shared.fleets import Queue
from shared.hot.connection import CircuitBreaker, connect
from shared.hot.logins import user_key
from shared.hot.positions import HotPosition, PositionReader, positions_key
from shared.hot.quotes import HotQuote, QuoteReader, quote_key
from shared.hot.rate_limit import RedisLimiter, list_request_keys
from shared.hot.recent_bars import RecentBars
from tests.fixtures.bar_tiers import BEGINS, FIVE, Tiers, make_bars
from tests.fixtures.figures import line, percentile, printed
from tests.fixtures.venue import MNQ

COUNT = 3_000
TARGET_MS = 1.0  # at p99
VENUE = VenueSettings(url="https://venue.test", hubs_url="", user="a-trader", key="a-secret-key", is_simulator=False)


def measure(act: Callable[[], object], reset: Callable[[], object] = lambda: None) -> list[float]:
    """Return the milliseconds of each call, after a hundred that are not counted; `reset` is called after each 150."""
    for _ in range(100):
        act()
    found = []
    for number in range(COUNT):
        if number % 150 == 0:
            reset()
        before = time.perf_counter()
        act()
        found.append(1000 * (time.perf_counter() - before))
    return found


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_every_row_of_the_redis_tier(tiers: Tiers, redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    client, packed = connect(redis_url), tiers.redis
    now, until = machine_now() + timedelta(hours=1), BEGINS + 600 * MINUTE
    quote = HotQuote(bid=Decimal("20000.25"), ask=Decimal("20000.50"), last=Decimal("20000.25"), received_at=now)
    contract_ids = [MNQ, *(f"CON.F.US.{root}.H26" for root in ("MES", "MGC", "MCL"))]
    for contract_id in contract_ids:
        client.set(quote_key(contract_id), msgspec.json.encode(quote))
    position = msgspec.convert(
        {"quantity": 2, "direction": "LONG", "average_price": "20000.25", "reported_at": now.isoformat()},
        HotPosition,
        strict=False,
    )
    client.hset(positions_key(1), MNQ, msgspec.json.encode(position))
    tiers.store(make_bars(600), until)
    tiers.reader.read(tiers.connection, tiers.contract, FIVE, until, count=100)
    quotes, positions = QuoteReader(client, CircuitBreaker()), PositionReader(client, CircuitBreaker())
    limiter = RedisLimiter(client, VENUE)

    def count_request() -> None:
        with limiter.count_request("other", Queue.CRITICAL, is_exit=True):
            pass

    def forget_requests() -> None:
        nonlocal limiter
        client.delete(*list_request_keys("other", user_key(VENUE)))
        limiter = RedisLimiter(client, VENUE)

    def read_bars() -> None:
        reader = BarReader(RecentBars(packed, CircuitBreaker(), "test"))
        assert "redis" == reader.read(tiers.connection, tiers.contract, FIVE, until, count=100).source

    rows = {
        "quotes of four contracts": measure(lambda: quotes.read(contract_ids)),
        "positions of an account": measure(lambda: positions.read([1])),
        "100 bars of five minutes": measure(read_bars),
        "control: PING": measure(client.ping),
        "a request counted, and its end": measure(count_request, forget_requests),
    }
    client.close()
    with printed(capsys, f"The Redis tier on loopback (target: {TARGET_MS} ms at p99)"):
        for name, values in rows.items():
            print(line(name, values))
    assert percentile(rows["control: PING"], 50) > 0
