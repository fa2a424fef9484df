"""A trading day of reads: how many are fresh, how many calls to the venue they cost, and whether any is stale."""

import time
from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from shared.bars.bar_reader import BarReader
from shared.db.engine import autocommit
from shared.db.market_data import contracts
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.bar_columns import from_bars, seconds_of
from shared.domain.market_data.calendar import calendar_of
from shared.domain.market_data.contract import ROOTS, Contract, root_of_contract
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.rollup import newest_close, roll_up
from shared.domain.market_data.timeframe import ONE_MINUTE, Timeframe
from shared.gateway.client import GatewayClient
from shared.gateway.ports import Call
from shared.gateway.rest.transport import BARS
from shared.hot.connection import CircuitBreaker, connect
from shared.hot.recent_bars import RecentBars
from shared.ledger.jobs.market_data import BackfillBars
from tests.fixtures.bar_fetches import BarFetches
from tests.fixtures.figures import percentile
from tests.fixtures.stepped_env import open_stepped_env
from tests.fixtures.venue import OPEN_AT
from tests.fixtures.worker_env import WorkerEnv
from workers.venue_wiring import open_gateway

DAY = date(2026, 3, 11)
FOUR = ("MNQ", "MES", "MGC", "MCL")
NINE = tuple(map(Timeframe.parse, ("1m", "2m", "3m", "5m", "15m", "30m", "1h", "2h", "4h")))
COUNTS = (20, 50, 100)  # of three strategies
SCREEN_READS = 24  # a screen with a chart of two timeframes of a contract, drawn every five seconds
BARS_LIMIT = 50  # requests in 30 s; docs/venue.md
EQUITY = calendar_of("equity")


class CountedCalls:
    """A CallLog that counts the requests of bars in each minute of the market."""

    def __init__(self) -> None:
        self.market_now = OPEN_AT
        self.per_minute: Counter[datetime] = Counter()

    def record(self, call: Call) -> None:
        self.per_minute[self.market_now] += call.endpoint == BARS


class CachedDay:
    """Four contracts whose bars a worker fetches each minute, and readers of all timeframes."""

    def __init__(self, env: WorkerEnv, gateway: GatewayClient) -> None:
        self.env = env
        self.fetch = BarFetches(env, gateway).fetch
        client = connect(env.settings.require_cache(), decode=False)
        self.readers = [BarReader(RecentBars(client, CircuitBreaker(), "test")) for _ in range(4)]
        with autocommit(env.ledger.engine) as connection:
            self.contracts: list[Contract] = [
                found for root in FOUR if (found := contracts.find_active(connection, root)) is not None
            ]
        self.answers: dict[tuple[str, Timeframe, datetime, int], list[bytes]] = {}
        self.sources: Counter[str] = Counter()
        self.fresh_count, self.milliseconds = 0, list[float]()

    def read(self, contract: Contract, timeframe: Timeframe, until: datetime, count: int) -> None:
        reader = self.readers[len(self.milliseconds) % len(self.readers)]
        with autocommit(self.env.ledger.engine) as connection:
            started = time.perf_counter()
            found = reader.read(connection, contract, timeframe, until, count=count)
            self.milliseconds.append((time.perf_counter() - started) * 1000)
        self.sources[found.source] += 1
        newest = newest_close(until, timeframe, calendar_of(ROOTS[contract.root].group))
        self.fresh_count += not found.gaps and found.as_of == newest
        answer = np.vstack(found.bars.arrays).tobytes()
        self.answers.setdefault((contract.id, timeframe, newest, count), []).append(answer)

    def count_stale(self, truth: dict[str, list]) -> int:  # type: ignore[type-arg]  # bars of each contract
        """Return how many answers differ from what the venue says at the end of the day."""
        stale = 0
        rolled = {
            (contract_id, timeframe): roll_up(
                from_bars(made), timeframe, made[-1].start + MINUTE, calendar_of(root_of_contract(contract_id).group)
            )
            for contract_id, made in truth.items()
            for timeframe in NINE
        }
        for (contract_id, timeframe, newest, count), answers in self.answers.items():
            bars = rolled[contract_id, timeframe]
            expected = np.vstack(bars[bars.seconds < seconds_of(newest)][-count:].arrays).tobytes()
            stale += sum(answer != expected for answer in answers)
        return stale


@pytest.mark.bench
@pytest.mark.timeout(3600)
def test_a_trading_day_of_reads(
    servers: tuple[str, str], template_with_bars: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = EQUITY.session_on(DAY)
    assert session is not None
    calls = CountedCalls()
    with (
        open_stepped_env(*servers, template_with_bars, tmp_path) as stepped,
        open_gateway(replace(stepped.env.settings, limits=False), calls) as gateway,
    ):
        day = CachedDay(stepped.env, gateway)
        since = session.opens - timedelta(days=35)
        stepped.pass_time(session.opens + timedelta(seconds=1))
        for contract in day.contracts:
            stepped.env.run(BackfillBars(contract_id=contract.id, since=since, until=session.opens))
            day.fetch(contract, session.opens)
        calls.per_minute.clear()
        minutes = (session.closes - session.opens) // MINUTE
        for number in range(1, minutes + 1):
            until = calls.market_now = session.opens + number * MINUTE
            stepped.step_to(until + timedelta(seconds=1))
            for contract in day.contracts:
                day.fetch(contract, until)
            for contract in day.contracts:
                for timeframe in NINE:
                    if newest_close(until, timeframe, EQUITY) == until:
                        for count in COUNTS:
                            day.read(contract, timeframe, until, count)
                for screen in range(SCREEN_READS):
                    day.read(contract, ONE_MINUTE if screen % 2 else NINE[3], until, 300)
        span = Span(since, session.closes)
        truth = {contract.id: gateway.bars(contract, span).bars for contract in day.contracts}
        stale = day.count_stale(truth)
        asked, busiest = sum(calls.per_minute.values()), max(calls.per_minute.values())
    reads = len(day.milliseconds)
    with capsys.disabled():
        print(f"\n{minutes} minutes, {len(day.contracts)} contracts, {reads:,} reads")  # a bench prints
        print(f"fresh: {day.fresh_count / reads:.2%}; stale, as the venue's history shows: {stale}")  # as above
        print(f"answered by {dict(day.sources)}; p50 {percentile(day.milliseconds, 50):.2f} ms,"
              f" p99 {percentile(day.milliseconds, 99):.2f} ms")  # fmt: skip
        print(f"requests of bars: {asked:,}, {1 - asked / reads:.1%} fewer than a call per read;"
              f" at most {busiest} in a minute, of {BARS_LIMIT} in 30 s allowed")  # fmt: skip
    assert stale == 0
    assert busiest <= BARS_LIMIT
